/** Exceptions are closed when what they are about is as it should be after all. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { closeGoneCauses } from '../../../../db/books/exceptions/close-gone-causes.js'
import { type NewException, raiseException } from '../../../../db/books/exceptions/raise-exception.js'
import { inTransaction } from '../../../../db/connect.js'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { clearAlerts, raiseAlert } from '../../../../db/operations/alerts/raise-alert.js'
import { createTestEndpoint } from '../../../stage/create-test-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m1', 'Shop')`
})
afterAll(() => database?.drop())

const raise = (change: Partial<NewException> & Pick<NewException, 'subject' | 'kind'>) =>
  inTransaction(database.sql, (tx) =>
    raiseException(tx, {
      merchantId: 'm1',
      cause: `${change.kind}:${change.subject.id}`,
      reason: 'x',
      expected: null,
      actual: null,
      ...change,
    }),
  )
const statusOf = async (id: string | null) => {
  const [row] = await database.sql`SELECT status, resolution, evidence FROM exceptions WHERE id = ${id}`
  return row
}

test('closes that of a webhook which was accepted after all, and no other', async () => {
  const { sql } = database
  const masterKey = '11'.repeat(32)
  await createTestEndpoint(sql, { merchantId: 'm1', url: 'https://a.example.com', masterKey })
  await createTestEndpoint(sql, { merchantId: 'm1', url: 'https://b.example.com', masterKey })
  await sql.begin((tx) => appendEvent(tx, { merchantId: 'm1', type: 'webhook.test', subject: 'x', data: {} }))
  const [first, second] = await sql<{ id: string }[]>`SELECT id FROM webhook_deliveries ORDER BY id`
  const ids = []
  for (const delivery of [first, second]) {
    const subject = { type: 'webhook_delivery', id: delivery?.id ?? '' }
    ids.push(await raise({ kind: 'webhook_exhausted', subject }))
  }
  await sql`UPDATE webhook_deliveries SET status = 'exhausted'`
  expect(await closeGoneCauses(sql)).toBe(0)
  await sql`UPDATE webhook_deliveries SET status = 'delivered', delivered_at = now() WHERE id = ${first?.id ?? ''}`
  expect(await closeGoneCauses(sql)).toBe(1)
  expect(await statusOf(ids[0] ?? null)).toMatchObject({
    status: 'resolved',
    resolution: 'cause_gone',
    evidence: { closed_by: { delivery_status: 'delivered' } },
  })
  expect(await statusOf(ids[1] ?? null)).toMatchObject({ status: 'open' })
  const audit = await sql`SELECT subject FROM audit_log WHERE action = 'exception.closed'`
  expect([...audit]).toEqual([{ subject: ids[0] }])
})

test('closes what was stuck when its last alert is cleared', async () => {
  const { sql } = database
  const alert = (kind: 'withdrawal.stuck' | 'withdrawal.step_failed') =>
    inTransaction(sql, (tx) =>
      raiseAlert(tx, {
        merchantId: 'm1',
        kind,
        severity: 'critical',
        subject: 'withdrawal_1',
        facts: { message: 'It waits' },
      }),
    )
  expect(await alert('withdrawal.stuck')).toBe(true)
  expect(await alert('withdrawal.step_failed')).toBe(true)
  const raised = await sql<{ id: string; kind: string; subject_type: string }[]>`
    SELECT id, kind, subject_type FROM exceptions WHERE subject_id = 'withdrawal_1'`
  expect(raised).toMatchObject([{ kind: 'stuck', subject_type: 'withdrawal' }])
  await clearAlerts(sql, 'm1', 'withdrawal.stuck', ['withdrawal_1'])
  expect(await closeGoneCauses(sql)).toBe(0)
  await clearAlerts(sql, 'm1', 'withdrawal.step_failed', ['withdrawal_1'])
  expect(await closeGoneCauses(sql)).toBe(1)
  expect(await statusOf(raised[0]?.id ?? null)).toMatchObject({ status: 'resolved' })
})

test('passes over what another transaction holds, and closes it afterwards', async () => {
  const { sql } = database
  const alert = (subject: string) =>
    inTransaction(sql, (tx) =>
      raiseAlert(tx, {
        merchantId: 'm1',
        kind: 'withdrawal.stuck',
        severity: 'critical',
        subject,
        facts: { message: 'It waits' },
      }),
    )
  await alert('withdrawal_2')
  await alert('withdrawal_3')
  await clearAlerts(sql, 'm1', 'withdrawal.stuck', ['withdrawal_2', 'withdrawal_3'])
  await inTransaction(sql, async (tx) => {
    await tx`SELECT FROM exceptions WHERE subject_id = 'withdrawal_2' FOR UPDATE`
    expect(await closeGoneCauses(sql)).toBe(1)
  })
  expect(await closeGoneCauses(sql)).toBe(1)
}, 10_000)

test('closes those of a merchant while another one has more at work than a sweep takes', async () => {
  const { sql } = database
  await sql`INSERT INTO merchants (id, name) VALUES ('m2', 'Busy shop'), ('m3', 'Other shop')`
  const insert = (merchant: string, first: number, last: number) => sql`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, severity, reason, subject_type, subject_id, history, due_at,
                            created_at, updated_at)
    SELECT ${`exc_${merchant}_`} || lpad(number::text, 4, '0'), ${merchant}, 'stuck', 'withdrawal.stuck', 'stuck:' || number,
           'high', 'It waits', 'withdrawal', 'withdrawal_' || number, '[]', now(), now(), now()
    FROM generate_series(${first}::integer, ${last}::integer) AS number`
  await insert('m2', 1, 600)
  await insert('m3', 1, 2)
  const open = async (merchant: string) =>
    (await sql`SELECT FROM exceptions WHERE merchant_id = ${merchant} AND status <> 'resolved'`).length
  await inTransaction(sql, async (tx) => {
    // An upload of the busy merchant works on all of its exceptions.
    await tx`SELECT FROM exceptions WHERE merchant_id = 'm2' FOR UPDATE`
    expect(await closeGoneCauses(sql)).toBe(2)
  })
  expect([await open('m2'), await open('m3')]).toEqual([600, 0])
  await insert('m3', 3, 4)
  expect(await closeGoneCauses(sql)).toBe(500)
  expect([await open('m2'), await open('m3')]).toEqual([102, 0])
}, 30_000)
