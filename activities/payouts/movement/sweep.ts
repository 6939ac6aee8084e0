/** The facts that every step of planning a sweep shares, and the ways in which one ends. */

import type { EvmAdapter, EvmBuildResult } from '../../../chains/adapter.js'
import { inTransaction } from '../../../db/connect.js'
import { postponeConsolidation, restConsolidation } from '../../../db/payouts/movements/consolidation-due.js'
import {
  createMovement,
  type NewMovement,
  NO_APPROVAL,
} from '../../../db/payouts/movements/create-movement.js'
import { takeGasBudget } from '../../../db/payouts/movements/gas-budget.js'
import type { SweepFacts } from '../../../db/payouts/movements/sweep-facts.js'
import { readWithdrawalInput } from '../../../db/payouts/read-withdrawal-input.js'
import type { Coin } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { ConsolidationInput } from '../../../temporal/inputs.js'
import type { WithdrawalChainDependencies } from '../withdrawal/dependencies.js'
import { type PlanStep, treasuryOf } from './plan-step.js'

/** Delay while another coin of the address is being moved, which uses its nonce and its gas. */
export const BUSY_MS = 15_000
const MOST_FAILURES = 8

/** Priority whose prices sweeps offer. */
export const PRIORITY = 'normal'

/** An address that holds something to sweep. */
export interface Sweep {
  readonly dependencies: WithdrawalChainDependencies
  readonly adapter: EvmAdapter
  readonly input: ConsolidationInput
  readonly coin: Coin
  readonly native: Coin
  readonly facts: SweepFacts
  readonly master: { readonly id: string; readonly address: string }
  readonly amount: bigint
}

/** Creates the movement. Gas stays inside the daily budget. */
export async function move(
  sweep: Sweep,
  movement: Omit<NewMovement, 'merchantId' | 'network' | 'requirement' | 'expiryMs'>,
  budget: bigint | null = null,
): Promise<PlanStep> {
  const { dependencies, adapter, facts, input, native } = sweep
  const { sql, networks } = dependencies
  const { network } = adapter
  try {
    const id = await inTransaction(sql, async (tx) => {
      const cost = movement.amount + movement.feeLimit
      if (budget !== null && !(await takeGasBudget(tx, facts.merchantId, network, cost, budget)))
        return 'spent'
      return createMovement(tx, networks, {
        ...movement,
        merchantId: facts.merchantId,
        network,
        requirement: NO_APPROVAL,
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

/** Explains why no transaction could be built. */
export function explain(sweep: Sweep, quote: Exclude<EvmBuildResult, { kind: 'built' }>): Promise<PlanStep> {
  const { dependencies, input, facts, native } = sweep
  switch (quote.kind) {
    case 'fee_too_high':
      return feeTooHigh(sweep, quote.fee)
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

/** Waits for lower prices, which is no failure. */
export function feeTooHigh({ dependencies, adapter, input, native }: Sweep, fee: bigint): Promise<PlanStep> {
  const { retryMs } = treasuryOf(dependencies.networks, adapter.network.name).consolidation
  return later(
    dependencies,
    input,
    retryMs,
    'TOO_DEAR',
    `A fee of ${show(fee, native)} is too much for it now`,
  )
}

/** Records a failure: after each further one in a row the wait is twice as long. */
export async function postpone(
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

/** Checks again after a while. Nothing failed. */
export async function later(
  { sql }: WithdrawalChainDependencies,
  input: ConsolidationInput,
  ms: number,
  code: string,
  message: string,
): Promise<PlanStep> {
  await postponeConsolidation(sql, input.id, input.coin, { ms, failed: false, code, message })
  return { kind: 'later', message }
}

/** Does nothing until something new arrives. */
export async function rest(
  { sql }: WithdrawalChainDependencies,
  input: ConsolidationInput,
  facts: SweepFacts,
  note: { readonly code: string; readonly message: string },
): Promise<PlanStep> {
  const rested = await restConsolidation(sql, input.id, input.coin, facts.version, note)
  return rested ? { kind: 'nothing', message: note.message } : { kind: 'again' }
}

/** Formats an amount in whole coins, with the coin's name. */
export function show(amount: bigint, { name, decimals }: Coin): string {
  return `${formatAmount(amount, decimals)} ${name}`
}
