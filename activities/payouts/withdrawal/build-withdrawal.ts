/** Builds the transaction of an approved payout and queues it for the signer. */

import { byAdapterFamily } from '../../../chains/adapter.js'
import { findPause } from '../../../db/controls/pauses/find-pause.js'
import { whyUnsignable } from '../../../db/payouts/attempts/why-unsignable.js'
import { ejectItems } from '../../../db/payouts/batches/eject-items.js'
import { setWaiting } from '../../../db/payouts/set-waiting.js'
import { startBuilding } from '../../../db/payouts/start-building.js'
import { buildEvm } from './build-evm.js'
import { buildNonceFill } from './build-nonce-fill.js'
import type { BuildStep } from './build-step.js'
import { buildUtxo } from './build-utxo.js'
import { closeFailed } from './close-failed.js'
import {
  adapterOf,
  orWaitForNode,
  railOf,
  type WithdrawalChainDependencies,
  waitFor,
  waitForResume,
} from './dependencies.js'
import { ejectUnpayable } from './eject-unpayable.js'
import { screenItems } from './screen-items.js'

/** Builds. May run twice, because a transaction that is queued already has moved the stage on. */
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
  const pause = await findPause(dependencies.sql, railOf(row))
  if (pause) return waitForResume(dependencies, id, pause)
  const unsignable = await whyUnsignable(dependencies.sql, row)
  if (unsignable !== null) {
    await closeFailed(dependencies, id, { code: 'NO_SIGNER', message: unsignable })
    return { kind: 'done' }
  }
  const adapter = adapterOf(dependencies, row.network)
  const step = await orWaitForNode(dependencies, id, row.network, async () =>
    byAdapterFamily(adapter, {
      utxo: (utxo) => buildUtxo(dependencies, utxo, row),
      evm: (evm) =>
        row.kind === 'nonce_fill' ? buildNonceFill(dependencies, evm, row) : buildEvm(dependencies, evm, row),
    }),
  )
  if (step.kind === 'unpayable') {
    // The next try, which follows at once, builds for the items that are left.
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
