/** Plans the sweep of a token, and the gas that it needs first. */

import { least } from '../../../chains/evm/send/least.js'
import { noteBalance } from '../../../db/payouts/movements/note-balance.js'
import { highestWorthwhileFee, isWorth } from '../../../domain/payouts/treasury.js'
import { type PlanStep, treasuryOf } from './plan-step.js'
import { explain, feeTooHigh, move, PRIORITY, postpone, type Sweep, show } from './sweep.js'

/** Plans to move all tokens once the address can pay the gas. */
export async function sweepToken(sweep: Sweep): Promise<PlanStep> {
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
  const highest = worthOf(sweep)
  if (highest !== null && quote.maxFee > highest) return feeTooHigh(sweep, quote.maxFee)
  return move(sweep, {
    kind: 'consolidation',
    coin,
    amount,
    from: { id: input.id, address: facts.address },
    toAddress: master.address,
    feePayer: 'sender',
    fee: quote.maxFee,
    feeLimit: least(gas, maxTotal, ...(highest === null ? [] : [highest])),
    details: { cause: `${show(amount, coin)} of ${facts.address} to the master wallet` },
  })

  /**
   * Returns the most that moving the tokens may cost, in the native coin. `null` when no rate of the token is
   * known.
   */
  function worthOf({ coin: token }: Sweep): bigint | null {
    const { worth, maxFeePercent } = treasuryOf(dependencies.networks, adapter.network.name).consolidation
    const each = worth[token.name]
    if (each === undefined) return null
    return highestWorthwhileFee((amount * each) / 10n ** BigInt(token.decimals), maxFeePercent)
  }
}

/**
 * Plans to send exactly the gas that the sweep lacks at today's highest price, from the gas wallet and inside
 * its daily budget.
 */
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
    if (!isWorth(value, total, rules.consolidation.maxFeePercent)) return feeTooHigh(sweep, total)
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
