/** The sweep of a chain's own coin. */

import { least } from '../../../chains/evm/send/least.js'
import { dearestFee, isWorth } from '../../../domain/payouts/treasury.js'
import { type PlanStep, treasuryOf } from './plan-step.js'
import { explain, move, PRIORITY, rest, type Sweep, show, tooDear } from './sweep.js'

/** The whole balance leaves: what arrives is that less gas × maxFee, and what of the fee was not spent stays behind. */
export async function sweepNative(sweep: Sweep): Promise<PlanStep> {
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
