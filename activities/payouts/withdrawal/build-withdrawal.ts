/** Builds the transaction of an approved withdrawal and hands it to the signer. */

import { whyUnsignable } from '../../../db/payouts/attempts/why-unsignable.js'
import { ejectItems } from '../../../db/payouts/batches/eject-items.js'
import { setWaiting } from '../../../db/payouts/set-waiting.js'
import { startBuilding } from '../../../db/payouts/start-building.js'
import { buildEvm } from './build-evm.js'
import { buildNonceFill } from './build-nonce-fill.js'
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
import { ejectUnpayable } from './eject-unpayable.js'
import { screenItems } from './screen-items.js'

/** `done`: look at the row, its stage says what came of it. */
export type BuildStep = { readonly kind: 'done' } | WaitStep

/** What cannot get better by waiting. */
export interface BuildFailure {
  readonly kind: 'failed'
  readonly code: string
  readonly message: string
}

/** One payment of a batch is in the way of the others. */
export interface UnpayableItem {
  readonly kind: 'unpayable'
  /** In the batch. */
  readonly index: number
  readonly code: string
  readonly message: string
}

/** Builds; may run twice, because a transaction that is queued already moved the stage on. */
export async function buildWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<BuildStep> {
  const started = await startBuilding(dependencies.sql, dependencies.networks, id)
  const unscreened = started && (await screenItems(dependencies, started))
  if (unscreened) return unscreened
  const row = started && (await ejectUnpayable(dependencies, started))
  if (!row) return { kind: 'done' }
  if (row.investigation) {
    return waitFor(
      dependencies,
      id,
      'UNDER_INVESTIGATION',
      `Nothing is built while it is under investigation: ${row.investigation.reason}`,
    )
  }
  const unsignable = await whyUnsignable(dependencies.sql, row)
  if (unsignable !== null) {
    await closeFailed(dependencies, id, { code: 'NO_SIGNER', message: unsignable })
    return { kind: 'done' }
  }
  const adapter = adapterOf(dependencies, row.network)
  const step = await orWaitForNode(dependencies, id, row.network, async () => {
    if (isUtxoAdapter(adapter)) return buildUtxo(dependencies, adapter, row)
    if (isEvmAdapter(adapter) && row.kind === 'nonce_fill') return buildNonceFill(dependencies, adapter, row)
    if (isEvmAdapter(adapter)) return buildEvm(dependencies, adapter, row)
    throw new Error(`No family builds for ${row.network}`)
  })
  if (step.kind === 'unpayable') {
    // What is left is built by the next try, at once.
    await ejectItems(dependencies.sql, dependencies.networks, id, [step])
    return { kind: 'done' }
  }
  if (step.kind === 'failed') {
    await closeFailed(dependencies, id, step)
    return { kind: 'done' }
  }
  if (step.kind === 'waiting') await setWaiting(dependencies.sql, id, step)
  return step
}
