/** Takes items that cannot be paid out of a part that is not built yet, so that the others go on. */

import type { Networks } from '../../../domain/chain/network.js'
import { appendAudit } from '../../audit/append-audit.js'
import { postJournal } from '../../books/ledger/post-journal.js'
import { inTransaction, json, type Sql } from '../../connect.js'
import { closeUnpaid } from '../close-unpaid.js'
import { lockWithdrawal, type PayoutRow } from '../payout-row.js'
import { ejectJournal } from '../withdrawal-journals.js'
import { followPart } from './follow-part.js'

/** An item, and why it cannot be paid. */
export interface Ejection {
  /** Index of the item in the batch. */
  readonly index: number
  readonly code: string
  readonly message: string
}

/**
 * Ejects the items, each with its reason, and releases their amounts. A part with nothing left to pay fails,
 * and all of its hold is released.
 *
 * @returns The part as it is to be built now. `null` when there is nothing to build (any more).
 */
export async function ejectItems(
  sql: Sql,
  networks: Networks,
  partId: string,
  ejections: readonly Ejection[],
): Promise<PayoutRow | null> {
  return inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, partId)
    if (row.stage !== 'building' || row.batch_id === null || row.outputs === null) return null
    const wanted = new Map(ejections.map((each) => [each.index, each]))
    const gone = row.outputs.filter((output) => wanted.has(output.index))
    const left = row.outputs.filter((output) => !wanted.has(output.index))
    const [first] = gone
    if (!first) return row
    for (const { index } of gone) {
      const reason = wanted.get(index)
      await tx`
        UPDATE batch_items SET failure_code = ${reason?.code ?? ''}, failure_message = ${reason?.message ?? ''}
        WHERE batch_id = ${row.batch_id} AND index = ${index}`
    }
    await appendAudit(tx, {
      merchantId: row.merchant_id,
      actor: 'system:batch',
      action: 'batch.items_ejected',
      subject: row.batch_id,
      data: { part_id: row.id, items: gone.map((output) => ({ ...output, ...wanted.get(output.index) })) },
    })
    const [head] = left
    if (!head) {
      const { code, message } = wanted.get(first.index) ?? { code: 'UNPAYABLE', message: '' }
      await closeUnpaid(tx, networks, row, {
        to: 'failed',
        actor: 'system:batch',
        failure: { code, message },
      })
      return null
    }
    const released = gone.reduce((sum, output) => sum + BigInt(output.amount), 0n)
    await postJournal(
      tx,
      ejectJournal(
        row,
        released,
        gone.map((output) => output.index),
      ),
    )
    await tx`
      UPDATE payouts
      SET outputs = ${json(tx, left)}, amount = amount - ${released.toString()}::numeric,
          to_address = ${head.address}, updated_at = clock_timestamp()
      WHERE id = ${row.id}`
    await followPart(
      tx,
      networks,
      row.batch_id,
      gone.map((output) => output.index),
    )
    return await lockWithdrawal(tx, row.id)
  })
}
