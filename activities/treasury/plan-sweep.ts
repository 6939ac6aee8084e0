/** Decides what is to be done with the coins of a deposit address on an EVM chain: nothing, gas first, or the sweep. */

import type { EvmAdapter, EvmBuildResult } from '../../chains/adapter.js'
import { least } from '../../chains/evm/send/least.js'
import {
  forgetFailures,
  leaseConsolidation,
  postponeConsolidation,
  restConsolidation,
} from '../../db/treasury/consolidation-due.js'
import { createMovement, type NewMovement, NOBODY } from '../../db/treasury/create-movement.js'
import { takeGasBudget } from '../../db/treasury/gas-budget.js'
import { noteBalance } from '../../db/treasury/note-balance.js'
import { readSweepFacts, type SweepFacts } from '../../db/treasury/sweep-facts.js'
import { readWithdrawalInput } from '../../db/withdrawals/read-withdrawal-input.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount } from '../../domain/money.js'
import { type Coin, findCoin, nativeCoin } from '../../domain/network.js'
import { dearestFee, isWorth } from '../../domain/treasury.js'
import type { ConsolidationInput } from '../../workflows/start.js'
import type { WithdrawalChainDependencies } from '../withdrawal/dependencies.js'
import { type LastMovement, type PlanStep, treasuryOf } from './plan-step.js'

/** Another coin of the address is being moved: its account and its gas are spoken for. */
const BUSY_MS = 15_000
const MOST_FAILURES = 8

/** A price as low as any: a sweep has time. */
const PRIORITY = 'normal'

interface Sweep {
  readonly dependencies: WithdrawalChainDependencies
  readonly adapter: EvmAdapter
  readonly input: ConsolidationInput
  readonly coin: Coin
  readonly native: Coin
  readonly facts: SweepFacts
  readonly master: { readonly id: string; readonly address: string }
  readonly amount: bigint
}

/** Plans; may run twice, because what is under way is found and never started again. */
export async function planSweep(
  dependencies: WithdrawalChainDependencies,
  adapter: EvmAdapter,
  input: ConsolidationInput,
  last: LastMovement | null,
): Promise<PlanStep> {
  const { sql, networks } = dependencies
  const { network } = adapter
  await leaseConsolidation(sql, input.id, input.coin)
  const facts = await readSweepFacts(sql, network.name, input.coin, input.id)
  if (!facts?.master) return { kind: 'nothing', message: 'There is nothing to look at' }
  if (last && last.stage !== 'confirmed') {
    return postpone(dependencies, input, facts, 'MOVEMENT_FAILED', `${last.id} ended ${last.stage}`)
  }
  if (last) await forgetFailures(sql, input.id, input.coin)
  if (facts.open) {
    const { open } = facts
    const ours = open.kind === 'consolidation' ? open.coin === input.coin : open.serves === input.coin
    const movement = ours ? await readWithdrawalInput(sql, networks, open.id) : null
    if (movement) return { kind: 'move', movement }
    return later(dependencies, input, BUSY_MS, 'BUSY', `${open.id} of the same address is under way`)
  }
  const coin = findCoin(network, input.coin)
  const held = await adapter.balance(facts.address, coin.name)
  const amount = least(held, facts.credited)
  const rules = treasuryOf(networks, network.name).consolidation
  if (amount <= 0n || amount < (rules.least[coin.name] ?? 0n)) {
    const message = `${show(amount, coin)} is less than is worth moving`
    return rest(dependencies, input, facts, { code: 'TOO_LITTLE', message })
  }
  const { master } = facts
  const sweep: Sweep = {
    dependencies,
    adapter,
    input,
    coin,
    native: nativeCoin(network),
    facts,
    master,
    amount,
  }
  return coin.contract === null ? sweepNative(sweep) : sweepToken(sweep)
}

/** The whole balance leaves: what arrives is that less gas × maxFee, and what of the fee was not spent stays behind. */
async function sweepNative(sweep: Sweep): Promise<PlanStep> {
  const { adapter, coin, facts, master, amount, dependencies, input } = sweep
  const { maxTotal } = adapter.network.fees
  // One unit is enough to learn what gas it takes: that depends on the code of who gets it, not on how much.
  const quote = await adapter.build({
    from: facts.address,
    derivationPath: facts.path,
    coin: coin.name,
    to: master.address,
    amount: 1n,
    priority: PRIORITY,
    feeLimit: maxTotal,
  })
  if (quote.kind === 'insufficient_funds') {
    return rest(dependencies, input, facts, {
      code: 'TOO_LITTLE',
      message: 'It does not even pay its own fee',
    })
  }
  if (quote.kind !== 'built') return explain(sweep, quote)
  const percent = treasuryOf(dependencies.networks, adapter.network.name).consolidation.maxFeePercent
  if (!isWorth(amount, quote.maxFee, percent)) return tooDear(sweep, quote.maxFee)
  const dearest = dearestFee(amount, percent)
  return move(sweep, {
    kind: 'consolidation',
    coin,
    amount,
    from: { id: input.id, address: facts.address },
    toAddress: master.address,
    feePayer: 'recipient',
    fee: quote.maxFee,
    feeLimit: least(dearest, maxTotal),
    details: { cause: `${show(amount, coin)} of ${facts.address} to the master wallet` },
  })
}

/** All tokens leave, once the address can pay the gas. */
async function sweepToken(sweep: Sweep): Promise<PlanStep> {
  const { adapter, coin, native, facts, master, amount, input, dependencies } = sweep
  const { maxTotal } = adapter.network.fees
  const quote = await adapter.build({
    from: facts.address,
    derivationPath: facts.path,
    coin: coin.name,
    to: master.address,
    amount,
    priority: PRIORITY,
    feeLimit: maxTotal,
  })
  const gas = await adapter.balance(facts.address, native.name)
  if (quote.kind === 'insufficient_funds' && quote.coin === native.name) {
    return fundGas(sweep, quote.missing, gas + quote.missing)
  }
  if (quote.kind !== 'built') return explain(sweep, quote)
  const dearest = worthOf(sweep)
  if (dearest !== null && quote.maxFee > dearest) return tooDear(sweep, quote.maxFee)
  return move(sweep, {
    kind: 'consolidation',
    coin,
    amount,
    from: { id: input.id, address: facts.address },
    toAddress: master.address,
    feePayer: 'sender',
    fee: quote.maxFee,
    feeLimit: least(gas, maxTotal, ...(dearest === null ? [] : [dearest])),
    details: { cause: `${show(amount, coin)} of ${facts.address} to the master wallet` },
  })

  /** The most that moving it may cost in the native coin; null where nobody knows what the token is worth. */
  function worthOf({ coin: token }: Sweep): bigint | null {
    const { worth, maxFeePercent } = treasuryOf(dependencies.networks, adapter.network.name).consolidation
    const each = worth[token.name]
    if (each === undefined) return null
    return dearestFee((amount * each) / 10n ** BigInt(token.decimals), maxFeePercent)
  }
}

/** Exactly what is missing for the sweep at today's capped price, from the gas wallet, inside its budget of the day. */
async function fundGas(sweep: Sweep, missing: bigint, sweepFee: bigint): Promise<PlanStep> {
  const { adapter, coin, native, facts, dependencies, input, amount } = sweep
  const { gas } = facts
  const { networks } = dependencies
  if (!gas) return postpone(dependencies, input, facts, 'NO_GAS_WALLET', 'There is no gas wallet')
  const { maxTotal } = adapter.network.fees
  const quote = await adapter.build({
    from: gas.address,
    derivationPath: gas.path,
    coin: native.name,
    to: facts.address,
    amount: missing,
    priority: PRIORITY,
    feeLimit: maxTotal,
  })
  if (quote.kind === 'insufficient_funds') {
    await noteBalance(dependencies.sql, networks, gas.id, native.name, 'empty')
    const message = `The gas wallet ${gas.address} lacks ${show(quote.missing, native)}; fund it`
    return postpone(dependencies, input, facts, 'GAS_WALLET_EMPTY', message)
  }
  if (quote.kind !== 'built') return explain(sweep, quote)
  const rules = treasuryOf(networks, adapter.network.name)
  const each = rules.consolidation.worth[coin.name]
  const total = sweepFee + quote.maxFee
  if (each !== undefined) {
    const value = (amount * each) / 10n ** BigInt(coin.decimals)
    if (!isWorth(value, total, rules.consolidation.maxFeePercent)) return tooDear(sweep, total)
  }
  return move(
    sweep,
    {
      kind: 'gas_funding',
      coin: native,
      amount: missing,
      from: { id: gas.id, address: gas.address },
      toAddress: facts.address,
      feePayer: 'sender',
      fee: quote.maxFee,
      feeLimit: least(quote.maxFee * 2n, maxTotal),
      details: { cause: `gas for the sweep of ${show(amount, coin)} of ${facts.address}`, serves: coin.name },
    },
    rules.gasDaily,
  )
}

async function move(
  sweep: Sweep,
  movement: Omit<NewMovement, 'merchantId' | 'network' | 'requirement' | 'expiryMs'>,
  budget: bigint | null = null,
): Promise<PlanStep> {
  const { dependencies, adapter, facts, input, native } = sweep
  const { sql, networks } = dependencies
  const { network } = adapter
  try {
    const id = await sql.begin(async (tx) => {
      const cost = movement.amount + movement.feeLimit
      if (budget !== null && !(await takeGasBudget(tx, facts.merchantId, network, cost, budget)))
        return 'spent'
      return createMovement(tx, networks, {
        ...movement,
        merchantId: facts.merchantId,
        network,
        requirement: NOBODY,
        expiryMs: treasuryOf(networks, network.name).consolidation.expiryMs,
      })
    })
    if (id === 'spent') {
      const message = `The gas wallet has given ${show(budget ?? 0n, native)} within 24 hours, its budget`
      return postpone(dependencies, input, facts, 'GAS_BUDGET', message)
    }
    if (id === null)
      return later(dependencies, input, BUSY_MS, 'BUSY', 'One like it was made this very moment')
    const started = await readWithdrawalInput(sql, networks, id)
    if (!started) throw new Error(`Movement ${id} was not stored`)
    return { kind: 'move', movement: started }
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'INSUFFICIENT_BALANCE') throw error
    return postpone(dependencies, input, facts, 'OWN_FUNDS', 'The merchant’s own account cannot bear the fee')
  }
}

function explain(sweep: Sweep, quote: Exclude<EvmBuildResult, { kind: 'built' }>): Promise<PlanStep> {
  const { dependencies, input, facts, native } = sweep
  switch (quote.kind) {
    case 'fee_too_high':
      return tooDear(sweep, quote.fee)
    case 'would_revert':
      return postpone(dependencies, input, facts, 'WOULD_REVERT', `It would fail: ${quote.reason}`)
    case 'insufficient_funds':
      return postpone(
        dependencies,
        input,
        facts,
        'SHORT',
        `${show(quote.missing, quote.coin === native.name ? native : sweep.coin)} of it is not there`,
      )
  }
}

/** Prices fall again; that is no failure. */
function tooDear({ dependencies, adapter, input, native }: Sweep, fee: bigint): Promise<PlanStep> {
  const { retryMs } = treasuryOf(dependencies.networks, adapter.network.name).consolidation
  return later(
    dependencies,
    input,
    retryMs,
    'TOO_DEAR',
    `A fee of ${show(fee, native)} is too much for it now`,
  )
}

async function postpone(
  { sql, networks }: WithdrawalChainDependencies,
  input: ConsolidationInput,
  facts: SweepFacts,
  code: string,
  message: string,
): Promise<PlanStep> {
  const { retryMs } = treasuryOf(networks, input.network).consolidation
  const ms = retryMs * 2 ** Math.min(facts.failures, MOST_FAILURES)
  await postponeConsolidation(sql, input.id, input.coin, { ms, failed: true, code, message })
  return { kind: 'later', message }
}

async function later(
  { sql }: WithdrawalChainDependencies,
  input: ConsolidationInput,
  ms: number,
  code: string,
  message: string,
): Promise<PlanStep> {
  await postponeConsolidation(sql, input.id, input.coin, { ms, failed: false, code, message })
  return { kind: 'later', message }
}

async function rest(
  { sql }: WithdrawalChainDependencies,
  input: ConsolidationInput,
  facts: SweepFacts,
  note: { readonly code: string; readonly message: string },
): Promise<PlanStep> {
  const rested = await restConsolidation(sql, input.id, input.coin, facts.version, note)
  return rested ? { kind: 'nothing', message: note.message } : { kind: 'again' }
}

function show(amount: bigint, { name, decimals }: Coin): string {
  return `${formatAmount(amount, decimals)} ${name}`
}
