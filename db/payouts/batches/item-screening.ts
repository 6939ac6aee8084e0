/** The answers of a screening service about the recipients of a batch. */

import type { ScreeningResult } from '../../../domain/controls/screening-result.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Queryable, type Sql } from '../../connect.js'

/** An item about which the service was not asked yet, or gave no answer. */
export interface UnscreenedItem {
  readonly id: string
  readonly to_address: string
  readonly amount_sent: string
}

/**
 * Reads the items of a part in their order. Empty when no service was configured when the batch was
 * requested.
 */
export async function readUnscreenedItems(sql: Queryable, partId: string): Promise<UnscreenedItem[]> {
  return sql<UnscreenedItem[]>`
    SELECT id, to_address, amount_sent FROM batch_items
    WHERE part_id = ${partId} AND failure_code IS NULL AND screening ->> 'state' = 'pending' ORDER BY index`
}

/** Stores the first answer. A second one changes nothing. */
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
 * Returns why items of a part must not be paid, by their index. A batch has had its review by then, so an
 * item that the service wants a person to review is not paid in it either.
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
