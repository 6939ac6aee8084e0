/** The audit log: chained by merchant, sealed once, and verified. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendAudit } from '../../../db/audit/append-audit.js'
import { sealAudit } from '../../../db/audit/seal-audit.js'
import { verifyAudit } from '../../../db/audit/verify-audit.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

const append = (merchantId: string, subject: string) =>
  database.sql.begin((tx) =>
    appendAudit(tx, {
      merchantId,
      actor: 'system:test',
      action: 'test.done',
      subject,
      data: { ümlaut: '€', n: [1, null, true] },
    }),
  )

test('chains entries per merchant, verifies them, and detects each kind of tampering', async () => {
  await Promise.all([append('m1', 'a'), append('m2', 'b'), append('m1', 'c'), append('m1', 'd')])
  while ((await sealAudit(database.sql)) > 0);
  expect(await verifyAudit(database.sql, 'm1')).toMatchObject({ valid: true, entries: 3 })
  expect(await verifyAudit(database.sql, 'm2')).toMatchObject({ valid: true, entries: 1 })
  expect(await verifyAudit(database.sql, 'nobody')).toMatchObject({ valid: true, entries: 0 })

  await expect(database.sql`UPDATE audit_log SET actor = 'x' WHERE merchant_id = 'm1'`).rejects.toThrow(
    /append-only/,
  )
  await expect(database.sql`DELETE FROM audit_log WHERE merchant_id = 'm1'`).rejects.toThrow(/append-only/)

  // The owner of the database can disable triggers, but the chain still shows the change.
  await database.sql`ALTER TABLE audit_log DISABLE TRIGGER audit_log_frozen`
  await database.sql`UPDATE audit_log SET actor = 'x' WHERE merchant_id = 'm1' AND sequence = 2`
  expect(await verifyAudit(database.sql, 'm1')).toMatchObject({ valid: false, broken_at: 2 })
  await database.sql`DELETE FROM audit_log WHERE merchant_id = 'm1' AND sequence >= 2`
  expect(await verifyAudit(database.sql, 'm1')).toMatchObject({ valid: false, broken_at: 2 })
})

test('numbers every entry once with two sealers at once', async () => {
  await Promise.all(Array.from({ length: 40 }, (_, index) => append('m3', `s${index}`)))
  await Promise.all([sealAudit(database.sql), sealAudit(database.sql), sealAudit(database.sql)])
  expect(await verifyAudit(database.sql, 'm3')).toMatchObject({ valid: true, entries: 40 })
})

test('seals an entry whose data is nested deeper than any stack, and verifies it', async () => {
  const depth = 5_000
  await database.sql`
    INSERT INTO audit_log (merchant_id, actor, action, subject, data)
    VALUES ('m4', 'system:test', 'test.done', 'deep', ${`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`}::text::jsonb)`
  await append('m4', 'after')
  while ((await sealAudit(database.sql)) > 0);
  expect(await verifyAudit(database.sql, 'm4')).toMatchObject({ valid: true, entries: 2 })
})

test('postpones an entry that cannot be sealed with one alert, seals the others, and chains it later', async () => {
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m5', 'Five')`
  const [bad] = await database.sql<{ position: bigint }[]>`
    INSERT INTO audit_log (merchant_id, at, actor, action, subject) VALUES ('m5', 'infinity', 'x', 'test.done', 'bad')
    RETURNING position`
  await append('m5', 'good')
  await append('m6', 'of another merchant')
  while ((await sealAudit(database.sql)) > 0);
  expect(await verifyAudit(database.sql, 'm5')).toMatchObject({ valid: true, entries: 1 })
  expect(await verifyAudit(database.sql, 'm6')).toMatchObject({ valid: true, entries: 1 })
  const alerts = () => database.sql`
    SELECT subject, severity, cleared_at FROM alerts WHERE merchant_id = 'm5' AND kind = 'audit.unsealed'`
  expect(await alerts()).toMatchObject([
    { subject: String(bad?.position), severity: 'critical', cleared_at: null },
  ])
  const [event] =
    await database.sql`SELECT data FROM events WHERE merchant_id = 'm5' AND type = 'exception.raised'`
  expect(event?.data).toMatchObject({ kind: 'stuck', detail: 'audit.unsealed', about: 'bad' })

  // At its next turn it fails again, waits longer, and raises no second alert.
  await database.sql`UPDATE audit_log SET seal_after = now() WHERE position = ${String(bad?.position)}::bigint`
  while ((await sealAudit(database.sql)) > 0);
  expect(await alerts()).toHaveLength(1)

  await database.sql`ALTER TABLE audit_log DISABLE TRIGGER audit_log_frozen`
  await database.sql`
    UPDATE audit_log SET at = now(), seal_after = now() WHERE position = ${String(bad?.position)}::bigint`
  await database.sql`ALTER TABLE audit_log ENABLE TRIGGER audit_log_frozen`
  while ((await sealAudit(database.sql)) > 0);
  expect(await verifyAudit(database.sql, 'm5')).toMatchObject({ valid: true, entries: 2 })
  expect((await alerts())[0]?.cleared_at).not.toBeNull()
})

test('seals entries one by one when a batch fails, and postpones only the entry at fault', async () => {
  // The database itself refuses one row, which no earlier check can foresee.
  await database.sql`ALTER TABLE audit_log ADD CONSTRAINT refuse_one CHECK (sequence IS NULL OR subject <> 'refused')`
  await append('m7', 'before')
  await append('m7', 'refused')
  await append('m7', 'after')
  while ((await sealAudit(database.sql)) > 0);
  expect(await verifyAudit(database.sql, 'm7')).toMatchObject({ valid: true, entries: 2 })
  const [row] = await database.sql`SELECT seal_failures, seal_error FROM audit_log WHERE subject = 'refused'`
  expect(row).toMatchObject({ seal_failures: 1, seal_error: expect.stringContaining('refuse_one') })
})
