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

test('chains entries per merchant, verifies them, and notices each kind of tampering', async () => {
  await Promise.all([append('m1', 'a'), append('m2', 'b'), append('m1', 'c'), append('m1', 'd')])
  while ((await sealAudit(database.sql)) > 0);
  expect(await verifyAudit(database.sql, 'm1')).toMatchObject({ valid: true, entries: 3 })
  expect(await verifyAudit(database.sql, 'm2')).toMatchObject({ valid: true, entries: 1 })
  expect(await verifyAudit(database.sql, 'nobody')).toMatchObject({ valid: true, entries: 0 })

  await expect(database.sql`UPDATE audit_log SET actor = 'x' WHERE merchant_id = 'm1'`).rejects.toThrow(
    /append-only/,
  )
  await expect(database.sql`DELETE FROM audit_log WHERE merchant_id = 'm1'`).rejects.toThrow(/append-only/)

  // Whoever owns the database can switch triggers off; the chain still tells.
  await database.sql`ALTER TABLE audit_log DISABLE TRIGGER audit_log_frozen`
  await database.sql`UPDATE audit_log SET actor = 'x' WHERE merchant_id = 'm1' AND sequence = 2`
  expect(await verifyAudit(database.sql, 'm1')).toMatchObject({ valid: false, broken_at: 2 })
  await database.sql`DELETE FROM audit_log WHERE merchant_id = 'm1' AND sequence >= 2`
  expect(await verifyAudit(database.sql, 'm1')).toMatchObject({ valid: false, broken_at: 2 })
})

test('two sealers at once number every entry once', async () => {
  await Promise.all(Array.from({ length: 40 }, (_, index) => append('m3', `s${index}`)))
  await Promise.all([sealAudit(database.sql), sealAudit(database.sql), sealAudit(database.sql)])
  expect(await verifyAudit(database.sql, 'm3')).toMatchObject({ valid: true, entries: 40 })
})
