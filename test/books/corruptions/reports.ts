/** Corruptions of what the books report: events, their deliveries, and the audit log. */

import type { Transaction } from '../../../db/connect.js'
import type { EventType } from '../../../domain/events/event.js'
import { type Corruption, change, NUMBER, one, TEXT } from './corruption.js'

/** Objects whose status events show. */
const REPORTED: readonly { readonly object: string; readonly type: EventType }[] = [
  { object: 'deposit', type: 'deposit.status_changed' },
  { object: 'payment', type: 'payment.status_changed' },
  { object: 'withdrawal', type: 'withdrawal.status_changed' },
  { object: 'movement', type: 'movement.status_changed' },
  { object: 'batch', type: 'batch.status_changed' },
  { object: 'transfer', type: 'transfer.created' },
]

const subjectOf = (tx: Transaction, id: string, type: EventType) =>
  one(tx, tx`SELECT subject AS id FROM events WHERE merchant_id = ${id} AND type = ${type} ORDER BY position`)

/** Returns a place in the middle of the events of a type that no check looks for. */
const unseen = (tx: Transaction, id: string) =>
  one(
    tx,
    tx`SELECT position AS id FROM events
       WHERE merchant_id = ${id} AND type = 'balance.updated' AND sequence > 9 ORDER BY position`,
  )

export const REPORTS: readonly Corruption[] = [
  ...REPORTED.map(
    ({ object, type }): Corruption => ({
      name: `the status in the newest event of a ${object}`,
      check: 'events',
      says: [TEXT, 'another'],
      corrupt: async (tx, id) =>
        change(tx`
          UPDATE events SET data = data || '{"status": "another"}'
          WHERE position = (SELECT max(position) FROM events
                            WHERE type = ${type} AND subject = ${await subjectOf(tx, id, type)})`),
    }),
  ),
  ...REPORTED.map(
    ({ object, type }): Corruption => ({
      name: `a ${object} without an event`,
      check: 'events',
      says: [TEXT, null],
      corrupt: async (tx, id) => tx`
        UPDATE events SET subject = 'elsewhere' WHERE type = ${type} AND subject = ${await subjectOf(tx, id, type)}`,
    }),
  ),

  {
    name: 'an event that is gone from the sequence',
    check: 'event_sequence',
    says: [NUMBER, NUMBER],
    corrupt: async (tx, id) => change(tx`DELETE FROM events WHERE position = ${await unseen(tx, id)}`),
  },
  ...([1, -1] as const).map(
    (by): Corruption => ({
      name: `a head of the sequence that is ${by > 0 ? 'after' : 'before'} the last event`,
      check: 'event_sequence',
      says: [NUMBER, NUMBER],
      corrupt: (tx, id) =>
        change(tx`UPDATE event_sequences SET sequence = sequence + ${by} WHERE merchant_id = ${id}`),
    }),
  ),
  {
    name: 'an event that was not sealed in time',
    check: 'event_sequence',
    says: ['sealed', null],
    corrupt: (tx, id) =>
      change(tx`
        INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
        VALUES ('evt_late', ${id}, 'exception.raised', 'late', now() - interval '1 hour', '{}')`),
  },

  {
    name: 'a missing delivery',
    check: 'deliveries',
    says: [TEXT, null],
    corrupt: async (tx, id) => {
      const delivery = tx`
        SELECT delivery.id FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
        WHERE delivery.merchant_id = ${id} AND event.sequence > 9 ORDER BY delivery.id DESC`
      await change(tx`DELETE FROM webhook_deliveries WHERE id = ${await one(tx, delivery)}`)
    },
  },
  {
    name: 'a delivery that was not started in time',
    check: 'deliveries',
    says: ['started', null],
    corrupt: async (tx, id) => {
      const delivery = tx`SELECT id FROM webhook_deliveries WHERE merchant_id = ${id} AND status = 'pending'`
      await change(tx`
        UPDATE webhook_deliveries SET created_at = created_at - interval '1 hour' WHERE id = ${await one(tx, delivery)}`)
    },
  },

  {
    name: 'an entry of the audit log that was changed',
    check: 'audit_log',
    says: [TEXT, TEXT],
    corrupt: (tx, id) =>
      change(tx`UPDATE audit_log SET actor = actor || '!' WHERE merchant_id = ${id} AND sequence = 5`),
  },
  {
    name: 'an entry of the audit log that is gone',
    check: 'audit_log',
    says: [TEXT, '4 entries'],
    corrupt: (tx, id) => change(tx`DELETE FROM audit_log WHERE merchant_id = ${id} AND sequence = 5`),
  },
  {
    name: 'the last entry of the audit log that is gone',
    check: 'audit_log',
    says: [TEXT, TEXT],
    corrupt: (tx, id) =>
      change(tx`
        DELETE FROM audit_log WHERE merchant_id = ${id}
          AND sequence = (SELECT sequence FROM audit_heads WHERE merchant_id = ${id})`),
  },
  {
    name: 'a head of the audit log that is before its last entry',
    check: 'audit_log',
    says: [TEXT, TEXT],
    corrupt: (tx, id) => change(tx`UPDATE audit_heads SET sequence = sequence - 1 WHERE merchant_id = ${id}`),
  },
  {
    name: 'a head of the audit log with another hash than its last entry',
    check: 'audit_log',
    says: [TEXT, TEXT],
    corrupt: (tx, id) => change(tx`UPDATE audit_heads SET hash = sha256(hash) WHERE merchant_id = ${id}`),
  },
  {
    name: 'an entry of the audit log that was not sealed in time',
    check: 'audit_log',
    says: ['all entries', '1 entries without a hash'],
    corrupt: (tx, id) =>
      change(tx`
        INSERT INTO audit_log (merchant_id, at, actor, action, subject)
        VALUES (${id}, now() - interval '1 hour', 'system:test', 'test.done', 'late')`),
  },
]
