/**
 * Decides what happens to the coins of a deposit address on an EVM network: nothing, gas first, or the sweep.
 */

import type { EvmAdapter } from '../../../chains/adapter.js'
import { least } from '../../../chains/evm/send/least.js'
import { findPause } from '../../../db/controls/pauses/find-pause.js'
import { forgetFailures, leaseConsolidation } from '../../../db/payouts/movements/consolidation-due.js'
import { readSweepFacts } from '../../../db/payouts/movements/sweep-facts.js'
import { readWithdrawalInput } from '../../../db/payouts/read-withdrawal-input.js'
import { knownCoin, nativeCoin } from '../../../domain/chain/network.js'
import { explainPause, SETTLEMENT_PAUSED } from '../../../domain/controls/settlement-pause.js'
import type { ConsolidationInput } from '../../../temporal/inputs.js'
import type { WithdrawalChainDependencies } from '../withdrawal/dependencies.js'
import { type LastMovement, type PlanStep, treasuryOf } from './plan-step.js'
import { BUSY_MS, later, postpone, rest, type Sweep, show } from './sweep.js'
import { sweepNative } from './sweep-native.js'
import { sweepToken } from './sweep-token.js'

/** Plans the next step. May run twice, because it finds a movement that is open and never starts it again. */
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
  const rail = { merchantId: input.merchantId, network: network.name, coin: input.coin }
  const pause = await findPause(sql, rail)
  if (pause) return later(dependencies, input, BUSY_MS, SETTLEMENT_PAUSED, explainPause(pause))
  const coin = knownCoin(network, input.coin)
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
