/** What a screening service says of the recipients of a batch. */

import type { ScreeningResult } from '../../../domain/controls/screening-result.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Queryable, type Sql } from '../../connect.js'

/** An item that the service was not asked about yet, or gave no answer to. */
export interface UnscreenedItem {
  readonly id: string
  readonly to_address: string
  readonly amount_sent: string
}

/** Of a part, in their order; none where no service was configured when the batch was asked for. */
export async function readUnscreenedItems(sql: Queryable, partId: string): Promise<UnscreenedItem[]> {
  return sql<UnscreenedItem[]>`
    SELECT id, to_address, amount_sent FROM batch_items
    WHERE part_id = ${partId} AND failure_code IS NULL AND screening ->> 'state' = 'pending' ORDER BY index`
}

/** Stores the first answer; a second one changes nothing. */
export async function storeItemScreening(
  sql: Sql,
  merchantId: string,
  itemId: string,
  { result, reason, reference }: ScreeningResult,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const screening = { state: result, reason, reference, at: new Date().toISOString() }
    const [stored] = await tx`
      UPDATE batch_items SET screening = ${tx.json(screening)}
      WHERE id = ${itemId} AND screening ->> 'state' = 'pending' RETURNING to_address`
    if (!stored) return
    await appendAudit(tx, {
      merchantId,
      actor: 'system:screening',
      action: 'batch.item_screened',
      subject: itemId,
      data: { screening, to_address: stored.to_address },
    })
  })
}

/**
 * Why items of a part must not be paid, by their index. A batch has had its review by then, so what the
 * service wants a person to look at is not paid in it either.
 */
export async function readRefusedItems(sql: Queryable, partId: string): Promise<ReadonlyMap<number, string>> {
  const rows = await sql<{ index: number; state: string; reason: string | null }[]>`
    SELECT index, screening ->> 'state' AS state, screening ->> 'reason' AS reason FROM batch_items
    WHERE part_id = ${partId} AND failure_code IS NULL AND screening ->> 'state' IN ('rejected', 'review')`
  return new Map(
    rows.map(({ index, state, reason }) => {
      const said = state === 'rejected' ? 'rejected the destination' : 'wants the destination to be reviewed'
      return [index, `The screening service ${said}${reason === null ? '' : `: ${reason}`}`]
    }),
  )
}
