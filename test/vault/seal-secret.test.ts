/** Secrets at rest: bound to their row, named by their key, and sealed again when the master key rotates. */

import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keepSealed } from '../../api/keep-sealed.js'
import { loadEnvironment } from '../../config/load-environment.js'
import { createApiKey } from '../../db/access/create-api-key.js'
import { findApiKey } from '../../db/access/find-api-key.js'
import { createEndpoint } from '../../db/events/webhooks/create-endpoint.js'
import { rotateSecret } from '../../db/events/webhooks/rotate-secret.js'
import { createEnrolmentToken } from '../../db/merchants/create-enrolment-token.js'
import { createMerchant } from '../../db/merchants/create-merchant.js'
import { resealSecrets } from '../../db/reseal-secrets.js'
import { loadPlatformKey } from '../../db/signing/platform-key.js'
import { openSecret, type SealedRow, sealSecret } from '../../vault/seal-secret.js'
import { startTestApi } from '../stage/test-api.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'

const OLD = '11'.repeat(32)
const NEW = '22'.repeat(32)
const row = (id: string): SealedRow => ({ table: 'api_keys', key: [id] })
const silent = { info() {}, error() {} }
let database: TestDatabase
let merchantId: string
beforeAll(async () => {
  database = await freshDatabase()
  merchantId = (await createMerchant(database.sql, { name: 'Shop', rails: [] })).id
})
afterAll(() => database?.drop())

const newKey = (masterKey: string) =>
  createApiKey(database.sql, masterKey, { merchantId, name: 'k', scopes: ['read'], ipAllowlist: [] })
const environment = (variables: Record<string, string>) =>
  loadEnvironment({ KEYTURN_DATABASE_URL: database.url, ...variables })

test('opens a secret for its own row only, under each master key', () => {
  const secret = Buffer.from('a secret')
  const sealed = sealSecret(OLD, secret, row('key_1'))
  expect(openSecret([OLD], sealed, row('key_1'))).toEqual(secret)
  expect(openSecret([NEW, OLD], sealed, row('key_1'))).toEqual(secret)
  expect(() => openSecret([OLD], sealed, row('key_2'))).toThrow('belongs to another row')
  expect(() => openSecret([OLD], sealed, { table: 'webhook_endpoints', key: ['key_1'] })).toThrow(
    'another row',
  )
  expect(() => openSecret([NEW], sealed, row('key_1'))).toThrow('which this process does not have')
  const changed = Buffer.from(sealed)
  changed[changed.length - 20] = (changed.at(-20) ?? 0) ^ 1
  expect(() => openSecret([OLD], changed, row('key_1'))).toThrow('was changed')
})

test('rejects the sealed secret of one API key in the row of another', async () => {
  const { sql } = database
  const [first, second] = [await newKey(OLD), await newKey(OLD)]
  await sql`
    UPDATE api_keys SET secret_sealed = (SELECT secret_sealed FROM api_keys WHERE id = ${first.id}) WHERE id = ${second.id}`
  await expect(findApiKey(sql, [OLD], second.id)).rejects.toThrow('another row')
  await sql`DELETE FROM api_keys WHERE id = ${second.id}`
})

test('rotates the master key during operation: learn, switch, seal again, forget', async () => {
  const { sql } = database
  const key = await newKey(OLD)
  const secret = 'whsec_old'
  const seal = (masterKey: string, text: string) => (id: string) =>
    sealSecret(masterKey, Buffer.from(text), { table: 'webhook_endpoints', key: [id] })
  const endpoint = await sql.begin((tx) =>
    createEndpoint(tx, {
      merchantId,
      url: 'https://shop.example/',
      eventTypes: null,
      format: 'keyturn',
      seal: seal(OLD, secret),
    }),
  )
  const before = await createEnrolmentToken(sql, OLD, { merchantId })
  const pinned = (await loadPlatformKey(sql, [OLD])).publicKey

  // 1. Every process learns the next key; it opens, and nothing is sealed under it yet.
  const learned = environment({ KEYTURN_MASTER_KEY: OLD, KEYTURN_NEXT_MASTER_KEY: NEW })
  await keepSealed(sql, learned, silent, true)
  expect((await findApiKey(sql, [OLD], key.id))?.secret.toString()).toBe(key.secret)

  // 2. One after the other they seal under it. Those of the first step open what those of the second seal,
  // and the other way round.
  const late = await newKey(NEW)
  expect((await findApiKey(sql, [OLD, NEW], late.id))?.secret.toString()).toBe(late.secret)
  await sql.begin((tx) =>
    rotateSecret(tx, {
      merchantId,
      id: endpoint.id,
      graceSeconds: 3_600,
      secretSealed: seal(NEW, 'whsec_new')(endpoint.id),
    }),
  )
  const switched = environment({ KEYTURN_MASTER_KEY: NEW, KEYTURN_PREVIOUS_MASTER_KEYS: OLD })
  await keepSealed(sql, switched, silent, false)

  // 3. Nothing needs the old key any more, and the signers' pin holds.
  expect(await resealSecrets(sql, [NEW])).toBe(0)
  for (const { id, secret } of [key, late]) {
    expect((await findApiKey(sql, [NEW], id))?.secret.toString()).toBe(secret)
  }
  const [stored] = await sql<{ secret_sealed: Buffer; previous_secret_sealed: Buffer }[]>`
    SELECT secret_sealed, previous_secret_sealed FROM webhook_endpoints WHERE id = ${endpoint.id}`
  const open = (sealed?: Buffer) =>
    openSecret([NEW], sealed ?? Buffer.alloc(0), {
      table: 'webhook_endpoints',
      key: [endpoint.id],
    }).toString()
  expect([open(stored?.secret_sealed), open(stored?.previous_secret_sealed)]).toEqual(['whsec_new', secret])
  expect((await loadPlatformKey(sql, [NEW])).publicKey).toEqual(pinned)
  const after = await createEnrolmentToken(sql, NEW, { merchantId })
  expect(after.token.split('.')[1]).toBe(before.token.split('.')[1])
})

test('answers a repeated request from the store after the rotation', async () => {
  const api = await startTestApi({ KEYTURN_MASTER_KEY: OLD })
  const ask = () =>
    api.call({
      method: 'POST',
      path: '/api/v1/webhook-endpoints',
      body: { url: 'https://example.com/hooks' },
      headers: { 'Idempotency-Key': 'endpoint-1' },
    })
  const first = await ask()
  expect(first.status).toBe(201)
  await loadPlatformKey(api.database.sql, [OLD])
  await resealSecrets(api.database.sql, [NEW, OLD])
  Object.assign(api.dependencies.environment, { KEYTURN_MASTER_KEY: NEW })
  const [kept] = await api.database.sql<{ response: Buffer; merchant_id: string }[]>`
    SELECT response, merchant_id FROM idempotency_keys WHERE key = 'endpoint-1'`
  const opened = openSecret([NEW], kept?.response ?? Buffer.alloc(0), {
    table: 'idempotency_keys',
    key: [kept?.merchant_id ?? '', 'endpoint-1'],
  })
  expect(JSON.parse(opened.toString())).toEqual(first.json)
  await api.database.drop()
})

test('binds a secret of the earlier format once and never opens it unbound again', async () => {
  const old = await freshDatabase()
  const { sql } = old
  const { id: merchant } = await createMerchant(sql, { name: 'Old shop', rails: [] })
  const unbound = (text: string) => {
    const derived = Buffer.from(hkdfSync('sha256', Buffer.from(OLD, 'hex'), '', 'keyturn sealing v1', 32))
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', derived, nonce)
    return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()])
  }
  const key = await createApiKey(sql, OLD, { merchantId: merchant, name: 'k', scopes: [], ipAllowlist: [] })
  await sql`UPDATE api_keys SET secret_sealed = ${unbound('kts_old')} WHERE id = ${key.id}`
  await expect(findApiKey(sql, [OLD], key.id)).rejects.toThrow('not bound')
  await loadPlatformKey(sql, [OLD])
  expect(await resealSecrets(sql, [OLD])).toBe(1)
  expect((await findApiKey(sql, [OLD], key.id))?.secret.toString()).toBe('kts_old')
  await sql`UPDATE api_keys SET secret_sealed = ${unbound('kts_forged')} WHERE id = ${key.id}`
  await expect(resealSecrets(sql, [OLD])).rejects.toThrow('not bound')
  await expect(findApiKey(sql, [OLD], key.id)).rejects.toThrow('not bound')
  await old.drop()
})

test('seals the other secrets again although no key opens one of them', async () => {
  const rotated = await freshDatabase()
  const { sql } = rotated
  const { id: merchantId } = await createMerchant(sql, { name: 'Shop', rails: [] })
  await loadPlatformKey(sql, [OLD])
  const keys: string[] = []
  for (let index = 0; index < 5; index++) {
    const key = { merchantId, name: `k${index}`, scopes: [], ipAllowlist: [] }
    keys.push((await createApiKey(sql, index === 0 ? '33'.repeat(32) : OLD, key)).id)
  }
  // More of them than are taken at a time.
  await sql`
    INSERT INTO idempotency_keys
    SELECT (jsonb_populate_record(NULL::idempotency_keys, jsonb_build_object(
      'merchant_id', ${merchantId}::text, 'key', 'k' || lpad(number::text, 4, '0'), 'request_hash', '\\x00',
      'owner', gen_random_uuid(), 'status_code', 200, 'response', (SELECT secret_sealed FROM api_keys WHERE id = ${keys[0] ?? ''}),
      'created_at', now(), 'locked_until', now()))).*
    FROM generate_series(1, 250) AS number`
  await expect(resealSecrets(sql, [NEW, OLD])).rejects.toThrow()
  for (const id of keys.slice(1)) expect((await findApiKey(sql, [NEW], id))?.id).toBe(id)
  await expect(findApiKey(sql, [NEW, OLD], keys[0] ?? '')).rejects.toThrow()
  await rotated.drop()
})
