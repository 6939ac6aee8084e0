/** Exceptions are raised once a cause, and closed when the cause ends. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { parseDueTimes } from '../../../../config/parse-due-times.js'
import { closeCause, closeCauses } from '../../../../db/books/exceptions/close-cause.js'
import {
  type NewException,
  raiseException,
  raiseExceptions,
} from '../../../../db/books/exceptions/raise-exception.js'
import { storeExceptionTerms } from '../../../../db/books/exceptions/store-exception-terms.js'
import { inTransaction } from '../../../../db/connect.js'
import { EXCEPTION_KINDS, EXCEPTION_TERMS } from '../../../../domain/books/exception.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
let merchants = 0
let merchantId: string

beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())
beforeEach(async () => {
  merchantId = `m${++merchants}`
  await database.sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'Shop')`
})

const drift = (change: Partial<NewException> = {}): NewException => ({
  merchantId,
  kind: 'drift',
  cause: 'drift:addr_1:btc',
  subject: { type: 'address', id: 'addr_1' },
  reason: 'The books have more than the chain',
  expected: '2',
  actual: '1',
  evidence: { block_number: 7 },
  ...change,
})
const raise = (change: Partial<NewException> = {}) =>
  inTransaction(database.sql, (tx) => raiseException(tx, drift(change)))
const close = (cause = 'drift:addr_1:btc', by = merchantId) =>
  inTransaction(database.sql, (tx) => closeCause(tx, by, cause, { block_number: 8 }))
const rows = () => database.sql`
  SELECT id, status, resolution, cause, evidence, severity, due_at - created_at AS due FROM exceptions
  WHERE merchant_id = ${merchantId} ORDER BY id`
const events = () => database.sql<{ data: Record<string, unknown> }[]>`
  SELECT data FROM events WHERE merchant_id = ${merchantId} AND type = 'exception.raised' ORDER BY position`

test('stores one exception a cause, with its event', async () => {
  const id = await raise()
  expect(id).toMatch(/^exc_/)
  expect(await raise({ expected: '3' })).toBeNull()
  expect(await rows()).toMatchObject([
    { id, status: 'open', severity: 'critical', evidence: { block_number: 7 } },
  ])
  expect((await events()).map((each) => each.data)).toMatchObject([
    {
      id,
      kind: 'drift',
      detail: 'drift',
      severity: 'critical',
      subject: 'addr_1',
      subject_type: 'address',
      in_queue: true,
      reason: 'The books have more than the chain',
      expected: '2',
      actual: '1',
      block_number: 7,
    },
  ])
})

test('stores one exception when many raise the same causes at once, in any order', async () => {
  const causes = ['a', 'b', 'c', 'd', 'e']
  const all = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      inTransaction(database.sql, (tx) =>
        raiseExceptions(
          tx,
          (index % 2 ? causes : [...causes].reverse()).map((cause) => drift({ cause })),
        ),
      ),
    ),
  )
  expect(all.flat()).toHaveLength(causes.length)
  expect((await rows()).map((row) => row.cause).sort()).toEqual(causes)
})

test('keeps nothing of an exception whose cause was rolled back', async () => {
  await expect(
    inTransaction(database.sql, async (tx) => {
      await raiseException(tx, drift())
      throw new Error('the cause did not happen')
    }),
  ).rejects.toThrow('did not happen')
  expect(await rows()).toEqual([])
  expect(await events()).toEqual([])
})

test('closes an exception by evidence, once, with an audit entry, and of this merchant alone', async () => {
  const id = await raise()
  expect(await close('another cause')).toBe(false)
  expect(await close(undefined, 'm-none')).toBe(false)
  expect((await rows())[0]).toMatchObject({ status: 'open' })
  expect(await close()).toBe(true)
  expect(await close()).toBe(false)
  expect(await rows()).toMatchObject([
    {
      id,
      status: 'resolved',
      resolution: 'cause_gone',
      evidence: { block_number: 7, closed_by: { block_number: 8 } },
    },
  ])
  const audit = await database.sql`
    SELECT actor, subject, data FROM audit_log WHERE merchant_id = ${merchantId} AND action = 'exception.closed'`
  expect([...audit]).toMatchObject([
    { actor: 'system:exceptions', subject: id, data: { kind: 'drift', evidence: { block_number: 8 } } },
  ])
  // The same cause may come again.
  expect(await raise()).not.toBeNull()
  expect(await rows()).toHaveLength(2)
})

test('closes many causes in one statement', async () => {
  for (const cause of ['one', 'two', 'three']) await raise({ cause })
  const gone = ['one', 'three', 'none'].map((cause) => ({ merchantId, cause, evidence: {} }))
  expect(await inTransaction(database.sql, (tx) => closeCauses(tx, gone))).toBe(2)
  expect((await rows()).map((row) => [row.cause, row.status])).toEqual([
    ['one', 'resolved'],
    ['two', 'open'],
    ['three', 'resolved'],
  ])
})

test('lets a resolution by a person stand while a lasting cause has the same values', async () => {
  const resolve = () => database.sql`
    UPDATE exceptions SET status = 'resolved', resolution = 'none', resolved_at = now() WHERE merchant_id = ${merchantId}`
  await raise({ lasting: true })
  await resolve()
  expect(await raise({ lasting: true })).toBeNull()
  // Other values are another difference, and an occurrence is never hidden.
  expect(await raise({ lasting: true, actual: '0' })).not.toBeNull()
  await resolve()
  expect(await raise()).not.toBeNull()
  await resolve()
  // The cause ended, and came back.
  await close()
  expect(await raise({ lasting: true })).not.toBeNull()
})

test('takes the due time of the kind, or that of the configuration', async () => {
  await database.sql`DELETE FROM exception_terms`
  await raise()
  await storeExceptionTerms(database.sql, parseDueTimes(' drift=30m, late=2d '))
  await raise({ cause: 'later' })
  await storeExceptionTerms(database.sql, parseDueTimes(''))
  await raise({ cause: 'later still' })
  expect((await rows()).map((row) => row.due)).toEqual(['02:00:00', '00:30:00', '02:00:00'])
  for (const wrong of ['drift', 'drift=', 'drift=0s', 'draft=1h', 'drift=soon']) {
    expect(() => parseDueTimes(wrong), wrong).toThrow()
  }
})

test('has a due time for every kind, and the database knows every kind', async () => {
  for (const kind of EXCEPTION_KINDS) {
    expect(EXCEPTION_TERMS[kind].dueHours).toBeGreaterThan(0)
    expect(await raise({ kind, cause: kind })).not.toBeNull()
  }
})
