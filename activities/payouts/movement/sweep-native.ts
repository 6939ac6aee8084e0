/** Plans the sweep of a network's native coin. */

import { least } from '../../../chains/evm/send/least.js'
import { highestWorthwhileFee, isWorth } from '../../../domain/payouts/treasury.js'
import { type PlanStep, treasuryOf } from './plan-step.js'
import { explain, feeTooHigh, move, PRIORITY, rest, type Sweep, show } from './sweep.js'

/**
 * Plans to move the whole balance. The master wallet receives it less gas × maxFee; what the fee does not use
 * stays behind.
 */
export async function sweepNative(sweep: Sweep): Promise<PlanStep> {
  const { adapter, coin, facts, master, amount, dependencies, input } = sweep
  const { maxTotal } = adapter.network.fees
  // One base unit is enough to estimate the gas, which depends on the recipient's code and not on the amount.
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
  if (!isWorth(amount, quote.maxFee, percent)) return feeTooHigh(sweep, quote.maxFee)
  const highest = highestWorthwhileFee(amount, percent)
  return move(sweep, {
    kind: 'consolidation',
    coin,
    amount,
    from: { id: input.id, address: facts.address },
    toAddress: master.address,
    feePayer: 'recipient',
    fee: quote.maxFee,
    feeLimit: least(highest, maxTotal),
    details: { cause: `${show(amount, coin)} of ${facts.address} to the master wallet` },
  })
}
