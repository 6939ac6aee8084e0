/** Writes a sealed event in an older version, once: the bytes are stored and never change. */

import type { EventType } from '../../../domain/events/event.js'
import {
  isSchemaVersion,
  NEWEST_SCHEMA_VERSION,
  type SchemaVersion,
  toSchemaVersion,
} from '../../../domain/events/schema-version.js'
import type { EventEnvelope } from '../../../wire/event.js'
import type { Queryable } from '../../connect.js'

/** Version of events that were sealed before there were versions. */
const FIRST: SchemaVersion = '2026-11-01'

/** Returns the text of an event in a version. @param from - Version that the event has. */
export function writeVersion(
  event: EventEnvelope,
  version: string,
  from: SchemaVersion = NEWEST_SCHEMA_VERSION,
): string {
  if (!isSchemaVersion(version)) throw new Error(`There is no version ${version} of events`)
  return JSON.stringify({ ...event, data: toSchemaVersion(event.event, event.data, from, version) })
}

/**
 * Stores the bytes of a delivery whose event was sealed before the delivery was made, as by a replay. The sealer
 * stores those of all others. It does nothing if they are stored, or if the event is not sealed.
 */
export async function freezeVersion(sql: Queryable, deliveryId: string): Promise<void> {
  const [event] = await sql<
    { id: string; type: EventType; body: Buffer; sealed: string | null; version: string }[]
  >`
    SELECT event.id, event.type, event.body, event.schema_version AS sealed, delivery.schema_version AS version
    FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
    WHERE delivery.id = ${deliveryId} AND delivery.schema_version IS NOT NULL AND event.body IS NOT NULL`
  if (!event) return
  const from = event.sealed !== null && isSchemaVersion(event.sealed) ? event.sealed : FIRST
  const body = writeVersion(JSON.parse(event.body.toString('utf8')), event.version, from)
  await sql`
    INSERT INTO event_bodies (event_id, schema_version, body)
    VALUES (${event.id}, ${event.version}, convert_to(${body}, 'UTF8')) ON CONFLICT DO NOTHING`
}
