/** Registering approvers' keys. */

import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApprover } from '../../../db/merchants/create-approver.js'
import { createMerchant } from '../../../db/merchants/create-merchant.js'
import { createPerson } from '../../../db/merchants/create-person.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

const newKey = () =>
  generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
async function people() {
  const { id: merchantId } = await createMerchant(database.sql, { name: 'Test', rails: [] })
  const person = async (name: string) => createPerson(database.sql, { merchantId, name })
  return { merchantId, ann: await person('Ann'), ben: await person('Ben') }
}
const register = (merchantId: string, personId: string, ed25519PublicKey: Uint8Array) =>
  createApprover(database.sql, { merchantId, personId, ed25519PublicKey })

test('refuses a key that is already registered, for the same or another person', async () => {
  const { merchantId, ann, ben } = await people()
  const key = newKey()
  const id = await register(merchantId, ann, key)
  await expect(register(merchantId, ben, key)).rejects.toThrow(/registered already/)
  await expect(register(merchantId, ann, key)).rejects.toThrow(/registered already/)
  await database.sql`UPDATE approvers SET revoked_at = now() WHERE id = ${id}`
  await expect(register(merchantId, ben, key)).rejects.toThrow(/registered already/)
  await register(merchantId, ann, key)
  await register(merchantId, ben, newKey())
})

test('refuses one of two concurrent registrations of a key', async () => {
  const { merchantId, ann, ben } = await people()
  const key = newKey()
  const results = await Promise.allSettled([register(merchantId, ann, key), register(merchantId, ben, key)])
  expect(results.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected'])
})

test('refuses a key of small order', async () => {
  const { merchantId, ann } = await people()
  const neutral = Buffer.from([1, ...Buffer.alloc(31)])
  await expect(register(merchantId, ann, neutral)).rejects.toThrow(/small order/)
  const rows = await database.sql`SELECT FROM approvers WHERE merchant_id = ${merchantId}`
  expect(rows).toHaveLength(0)
})
