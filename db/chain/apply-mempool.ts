/**
 * Writes what the mempool shows: deposits on their way, those that lost their inputs, and those that are
 * absent.
 */

import type { MempoolLook, Spend } from '../../chains/adapter.js'
import type { Network } from '../../domain/chain/network.js'
import { MINED_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import type { DepositRow } from '../deposits/deposit-row.js'
import { depositEvent } from '../deposits/deposit-view.js'
import { moveDeposit } from '../deposits/move-deposit.js'
import { insertDeposits, saveDeposits } from '../deposits/save-deposits.js'
import type { NewEvent } from '../events/log/append-events.js'
import { appendEvents } from '../events/log/append-events.js'
import { lockCursor } from '../networks/chain-cursor.js'
import { followDeposits } from '../payments/follow-deposits.js'
import { amountChange, detectedDeposit, type Hit, termsOf } from './hit.js'
import { paymentsOfReplaced } from './payments-of-replaced.js'
import { isPaidBy, isUnmined, lockPositions, rowsAt, superseded } from './positions.js'
import { inputsOf, recordInputs } from './record-inputs.js'
import { replaceConflicting } from './replace-conflicting.js'
import { keepWatch, type Watch } from './take-watch.js'

/**
 * Applies one poll of the mempool in one transaction.
 *
 * @param hits - Every transfer in `look` to an own address.
 * @throws WatchLost if `watch` is not the latest.
 */
export async function applyMempool(
  sql: Sql,
  network: Network,
  look: MempoolLook,
  hits: readonly Hit[],
  watch?: Watch,
): Promise<void> {
  const deposits = hits.filter((hit) => hit.deposit)
  // Most polls find nothing and need no transaction.
  if (deposits.length === 0 && look.spends.length === 0 && !(await changesPresence(sql, network.name, look)))
    return
  await inTransaction(sql, async (tx) => {
    const cursor = await lockCursor(tx, network.name)
    await keepWatch(tx, network.name, watch)
    if (!cursor) return
    // As in `applyBlocks`.
    const at = cursor.now
    const { events, changed } = await recordDetected(tx, network, deposits, look.spends, at)
    // Conflicts come first: a new transaction has replaced the one that it conflicts with.
    const replaced = await replaceConflicting(tx, network.name, look.spends, at)
    for (const each of replaced) {
      events.push(depositEvent(network, each.after, cursor.height, each.before.status))
    }
    await saveDeposits(
      tx,
      replaced.map((each) => each.after),
    )
    await recordInputs(tx, network.name, inputsOf(deposits, look.spends))
    await notePresence(tx, network.name, look, at)
    events.push(...(await followDeposits(tx, [...changed, ...replaced.map((each) => each.after)])))
    await appendEvents(tx, events)
  })
}

async function recordDetected(
  tx: Transaction,
  network: Network,
  deposits: readonly Hit[],
  spends: readonly Spend[],
  at: Date,
): Promise<{ readonly events: NewEvent[]; readonly changed: readonly DepositRow[] }> {
  if (deposits.length === 0) return { events: [], changed: [] }
  const positions = await lockPositions(
    tx,
    network,
    deposits.map((hit) => hit.transfer.txid),
  )
  const fresh = deposits.filter((hit) => !rowsAt(positions, hit).some((row) => isPaidBy(row, hit)))
  const replaced = await paymentsOfReplaced(tx, network.name, fresh, spends)
  const events: NewEvent[] = []
  const inserted: DepositRow[] = []
  const saved: DepositRow[] = []
  const ended: DepositRow[] = []
  for (const hit of deposits) {
    const seen = rowsAt(positions, hit)
    // A block counts more than a mempool.
    if (seen.some((row) => MINED_DEPOSITS[row.status])) continue
    const known = seen.find((row) => isPaidBy(row, hit))
    for (const other of seen) {
      if (other === known || !isUnmined(other)) continue
      const after = superseded(other, at, 'Its transaction pays something else now')
      ended.push(after)
      events.push(depositEvent(network, after, null, other.status))
    }
    if (!known) {
      const detected = detectedDeposit(network, hit, at, 'Seen in the mempool', seen.length, null, replaced)
      inserted.push(detected)
      events.push(depositEvent(network, detected, null, null))
    } else if (known.status === 'detected') {
      if (known.amount !== hit.transfer.amount) saved.push(repriced(network, hit, known, at))
    } else {
      const back = moveDeposit(
        known,
        'detected',
        at,
        `Back in the mempool${amountChange(network, hit, known)}`,
        {
          ...termsOf(network, hit, known),
          replaced_by: null,
          absent_since: null,
          // Its workflow ended, or is about to.
          workflow_started_at: null,
        },
      )
      saved.push(back)
      events.push(depositEvent(network, back, null, known.status))
    }
  }
  // Ended rows are written first, because only one deposit may stand at a place.
  await saveDeposits(tx, ended)
  await insertDeposits(tx, inserted)
  await saveDeposits(tx, saved)
  return { events, changed: [...ended, ...inserted, ...saved] }
}

/**
 * Returns the row, still detected, with the amount that is pending now. The event of its next status shows
 * it.
 */
function repriced(network: Network, hit: Hit, row: DepositRow, at: Date): DepositRow {
  const cause = `In the mempool${amountChange(network, hit, row)}`
  return {
    ...row,
    ...termsOf(network, hit, row),
    updated_at: at,
    history: [...row.history, { status: row.status, at: at.toISOString(), cause }],
  }
}

interface Presence {
  readonly id: string
  readonly txid: string
  readonly absent_since: Date | null
}

/** Returns detected deposits whose transaction left or entered the mempool since the last poll. */
async function presenceChanges(
  sql: Sql | Transaction,
  network: string,
  look: MempoolLook,
): Promise<Presence[]> {
  const rows = await sql<Presence[]>`
    SELECT id, txid, absent_since FROM deposits WHERE network = ${network} AND status = 'detected'`
  return rows.filter((row) => look.txids.has(row.txid) === (row.absent_since !== null))
}

async function changesPresence(sql: Sql, network: string, look: MempoolLook): Promise<boolean> {
  return (await presenceChanges(sql, network, look)).length > 0
}

/**
 * Notes a change of presence. An absent transaction without a conflict may come back, so its deposit stays
 * `detected`.
 */
async function notePresence(tx: Transaction, network: string, look: MempoolLook, at: Date): Promise<void> {
  const changes = await presenceChanges(tx, network, look)
  if (changes.length === 0) return
  const line = (cause: string) => JSON.stringify([{ status: 'detected', at: at.toISOString(), cause }])
  await tx`
    UPDATE deposits
    SET absent_since = CASE WHEN absent_since IS NULL THEN ${at}::timestamptz END,
        history = history || CASE WHEN absent_since IS NULL
          THEN ${line('No longer in the mempool; it may come back')}::text::jsonb
          ELSE ${line('In the mempool again')}::text::jsonb END,
        updated_at = ${at}
    WHERE id = ANY (${changes.map((row) => row.id)}) AND status = 'detected'`
}
