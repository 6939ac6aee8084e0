/** Builds the transaction of an approved withdrawal and hands it to the signer. */

import { setWaiting } from '../../db/withdrawals/set-waiting.js'
import { startBuilding } from '../../db/withdrawals/start-building.js'
import { buildEvm } from './build-evm.js'
import { buildUtxo } from './build-utxo.js'
import { closeFailed } from './close-failed.js'
import {
  adapterOf,
  isEvmAdapter,
  isUtxoAdapter,
  orWaitForNode,
  type WaitStep,
  type WithdrawalChainDependencies,
  waitFor,
} from './dependencies.js'

/** `done`: look at the row, its stage says what came of it. */
export type BuildStep = { readonly kind: 'done' } | WaitStep

/** What cannot get better by waiting. */
export interface BuildFailure {
  readonly kind: 'failed'
  readonly code: string
  readonly message: string
}

/** Builds; may run twice, because a transaction that is queued already moved the stage on. */
export async function buildWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<BuildStep> {
  const row = await startBuilding(dependencies.sql, dependencies.networks, id)
  if (!row) return { kind: 'done' }
  if (row.investigation) {
    return waitFor(
      dependencies,
      id,
      'UNDER_INVESTIGATION',
      `Nothing is built while it is under investigation: ${row.investigation.reason}`,
    )
  }
  const adapter = adapterOf(dependencies, row.network)
  const step = await orWaitForNode(dependencies, id, row.network, async () => {
    if (isUtxoAdapter(adapter)) return buildUtxo(dependencies, adapter, row)
    if (isEvmAdapter(adapter)) return buildEvm(dependencies, adapter, row)
    throw new Error(`No family builds for ${row.network}`)
  })
  if (step.kind === 'failed') {
    await closeFailed(dependencies, id, step)
    return { kind: 'done' }
  }
  if (step.kind === 'waiting') await setWaiting(dependencies.sql, id, step)
  return step
}
