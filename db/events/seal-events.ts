/** Gives committed events their gap-free sequence and freezes their bytes; run by one sealer at a time. */

import type { EventEnvelope, EventType } from '../../domain/event.js'
import { toLayer1 } from '../../domain/layer1.js'
import type { Sql } from '../connect.js'

/** Advisory lock of the sealer: any constant will do. */
export const SEALER_LOCK = 7_246_114_002
/** Events sealed in one transaction: enough to keep up, small enough to hold no lock for long. */
const BATCH = 500

interface Row {
  readonly id: string
  readonly merchant_id: string
  readonly type: EventType
  readonly occurred_at: Date
  readonly data: Record<string, unknown>
}

/**
 * Seals one batch of events in the order of their insertion. A sequence taken before commit would skip when a
 * transaction rolls back and would show later numbers before earlier ones; therefore this runs after commit.
 *
 * @returns How many were sealed; fewer than a full batch means that nothing is left.
 */
export async function sealEvents(sql: Sql): Promise<number> {
  return sql.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${SEALER_LOCK})`
    const rows = await tx<Row[]>`
      SELECT id, merchant_id, type, occurred_at, data FROM events WHERE sequence IS NULL ORDER BY position LIMIT ${BATCH}`
    if (rows.length === 0) return 0
    const counts = new Map<string, number>()
    for (const row of rows) counts.set(row.merchant_id, (counts.get(row.merchant_id) ?? 0) + 1)
    const next = new Map(
      (
        await tx<{ merchant_id: string; sequence: bigint; count: number }[]>`
          INSERT INTO event_sequences (merchant_id, sequence)
          SELECT * FROM unnest(${[...counts.keys()]}::text[], ${[...counts.values()]}::bigint[])
          ON CONFLICT (merchant_id) DO UPDATE SET sequence = event_sequences.sequence + excluded.sequence
          RETURNING merchant_id, sequence`
      ).map((row) => [row.merchant_id, Number(row.sequence) - (counts.get(row.merchant_id) ?? 0) + 1]),
    )
    const sealed = rows.map((row) => {
      const sequence = next.get(row.merchant_id) ?? 1
      next.set(row.merchant_id, sequence + 1)
      const envelope: EventEnvelope = {
        id: row.id,
        event: row.type,
        timestamp: row.occurred_at.toISOString(),
        sequence,
        data: row.data,
      }
      const layer1 = toLayer1(envelope)
      return {
        id: row.id,
        sequence,
        body: JSON.stringify(envelope),
        layer1: layer1 && JSON.stringify(layer1),
      }
    })
    await tx`
      UPDATE events SET sequence = sealed.sequence, body = convert_to(sealed.body, 'UTF8'),
                        layer1_body = convert_to(sealed.layer1, 'UTF8')
      FROM unnest(
        ${sealed.map((each) => each.id)}::text[], ${sealed.map((each) => each.sequence)}::bigint[],
        ${sealed.map((each) => each.body)}::text[], ${sealed.map((each) => each.layer1)}::text[]
      ) AS sealed (id, sequence, body, layer1)
      WHERE events.id = sealed.id`
    return rows.length
  })
}
