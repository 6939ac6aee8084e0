/** Gives committed events their gap-free sequence and freezes their bytes. One sealer runs it at a time. */

import type { EventType } from '../../../domain/events/event.js'
import { NEWEST_SCHEMA_VERSION } from '../../../domain/events/schema-version.js'
import type { EventEnvelope } from '../../../wire/event.js'
import type { Sql, Transaction } from '../../connect.js'
import { writeVersion } from './freeze-version.js'
import { type SealFailure, sealInTurn, type Unsealed } from './seal-in-turn.js'
import { toLayer1 } from './to-layer1.js'

/** Advisory lock of the sealers of events. Its value is arbitrary. */
const EVENTS_LOCK = 7_246_114_002

interface Row extends Unsealed {
  readonly id: string
  readonly type: EventType
  readonly occurred_at: Date
  readonly data: Record<string, unknown>
  /** Versions of its deliveries that are not the newest. */
  readonly versions: readonly string[]
  /** Last sequence of the merchant. `null` before its first event. */
  readonly last_sequence: bigint | null
}

interface Sealed {
  readonly row: Row
  readonly sequence: number
  readonly body: string
  readonly layer1: string | null
  readonly older: readonly { readonly version: string; readonly body: string }[]
}

/**
 * Seals one batch of events in the order of their insertion. It runs after the commit, because a sequence
 * taken before would leave a gap after a rollback and could show later numbers before earlier ones. An event
 * that cannot be sealed is postponed with an alert and gets its sequence later.
 *
 * @returns How many events were read. Fewer than a full batch means that none are left.
 */
export async function sealEvents(sql: Sql): Promise<number> {
  return sealInTurn(sql, {
    table: 'events',
    lock: EVENTS_LOCK,
    read: readRows,
    seal,
    nameOf: (row) => row.type,
  })
}

async function readRows(tx: Transaction, most: number): Promise<Row[]> {
  return tx<Row[]>`
    SELECT id, position, merchant_id, type, subject, occurred_at, data, seal_failures, last.sequence AS last_sequence,
           ARRAY(SELECT DISTINCT schema_version FROM webhook_deliveries
                 WHERE event_id = events.id AND schema_version IS NOT NULL) AS versions
    FROM events LEFT JOIN event_sequences last USING (merchant_id)
    WHERE events.sequence IS NULL AND (seal_after IS NULL OR seal_after < clock_timestamp())
    ORDER BY position LIMIT ${most}`
}

async function seal(tx: Transaction, rows: readonly Row[]): Promise<SealFailure<Row>[]> {
  // No other process changes the last sequences while this one holds the lock.
  const sequences = new Map<string, number>()
  const sealed: Sealed[] = []
  const failures: SealFailure<Row>[] = []
  for (const row of rows) {
    try {
      const sequence = (sequences.get(row.merchant_id) ?? Number(row.last_sequence ?? 0)) + 1
      sealed.push({ row, sequence, ...freeze(row, sequence) })
      sequences.set(row.merchant_id, sequence)
    } catch (error) {
      failures.push({ row, error })
    }
  }
  await save(tx, sealed, sequences)
  return failures
}

function freeze(row: Row, sequence: number): Omit<Sealed, 'row' | 'sequence'> {
  const envelope: EventEnvelope = {
    id: row.id,
    event: row.type,
    timestamp: row.occurred_at.toISOString(),
    sequence,
    data: row.data,
  }
  const layer1 = toLayer1(envelope)
  return {
    body: JSON.stringify(envelope),
    layer1: layer1 && JSON.stringify(layer1),
    older: row.versions.map((version) => ({ version, body: writeVersion(envelope, version) })),
  }
}

async function save(
  tx: Transaction,
  sealed: readonly Sealed[],
  sequences: ReadonlyMap<string, number>,
): Promise<void> {
  if (sealed.length === 0) return
  const merchants = [...sequences.entries()]
  const older = sealed.flatMap(({ row, older }) => older.map((each) => ({ ...each, id: row.id })))
  await tx`
    WITH last AS (
      INSERT INTO event_sequences (merchant_id, sequence)
      SELECT * FROM unnest(${merchants.map(([id]) => id)}::text[], ${merchants.map(([, last]) => last)}::bigint[])
      ON CONFLICT (merchant_id) DO UPDATE SET sequence = excluded.sequence
    ), older AS (
      INSERT INTO event_bodies (event_id, schema_version, body)
      SELECT id, version, convert_to(body, 'UTF8')
      FROM unnest(${older.map(({ id }) => id)}::text[], ${older.map(({ version }) => version)}::text[],
                  ${older.map(({ body }) => body)}::text[]) AS older (id, version, body)
    )
    UPDATE events SET sequence = sealed.sequence, schema_version = ${NEWEST_SCHEMA_VERSION}, body = convert_to(sealed.body, 'UTF8'),
                      layer1_body = convert_to(sealed.layer1, 'UTF8')
    FROM unnest(
      ${sealed.map(({ row }) => row.id)}::text[], ${sealed.map((each) => each.sequence)}::bigint[],
      ${sealed.map((each) => each.body)}::text[], ${sealed.map((each) => each.layer1)}::text[]
    ) AS sealed (id, sequence, body, layer1)
    WHERE events.id = sealed.id`
}
