/**
 * Starts the app on a fresh database, with merchants and API keys. Signs requests itself, not by the code
 * under test.
 */

import { createHash, createHmac, randomUUID } from 'node:crypto'
import { BIP32Factory } from 'bip32'
import { pino } from 'pino'
import * as ecc from 'tiny-secp256k1'
import type { ApiDependencies } from '../../api/context.js'
import { createApp } from '../../api/create-app.js'
import { createMetrics } from '../../api/metrics/metrics.js'
import { loadEnvironment } from '../../config/load-environment.js'
import { createApiKey } from '../../db/access/create-api-key.js'
import { type ConnectOptions, connect } from '../../db/connect.js'
import { createMerchant } from '../../db/merchants/create-merchant.js'
import { newId } from '../../db/new-id.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'
import { createDeclaredCheck } from './expect-declared.js'

export const MASTER_KEY = '11'.repeat(32)
const ALL_SCOPES = [
  'read',
  'payments',
  'withdrawals',
  'approvals',
  'webhooks',
  'policy',
  'reconciliation',
  'admin',
]
/** Seed of the BIP-39 test vector "abandon … about", from BIP-84. */
export const TEST_SEED = Buffer.from(
  '5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4',
  'hex',
)

export interface ApiKeyPair {
  readonly id: string
  readonly secret: string
}

export interface Call {
  readonly method?: string
  readonly path: string
  /** Body, sent as JSON. A string is sent unchanged. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly key?: ApiKeyPair
  readonly timestamp?: string
  readonly nonce?: string
  readonly ip?: string
  /** Path that is signed instead of the one that is sent. */
  readonly signedPath?: string
  /** Body that is signed instead of the one that is sent. */
  readonly signedBody?: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any answer
  readonly json: any
}

export interface TestApi {
  readonly database: TestDatabase
  readonly app: ReturnType<typeof createApp>
  readonly dependencies: ApiDependencies
  readonly merchantId: string
  readonly key: ApiKeyPair
  call(call: Call): Promise<Answer>
  /** Returns the metrics as a scraper gets them, never from the cache. */
  metrics(): Promise<string>
  /** Creates another key. By default it has every scope and works from any address. */
  newKey(options?: {
    merchantId?: string
    personId?: string
    scopes?: string[]
    ipAllowlist?: string[]
    rateLimitPerMinute?: number
  }): Promise<ApiKeyPair>
  newMerchant(): Promise<string>
  /** Stores the extended public keys that an enrolled signer would have reported for a merchant. */
  enrol(merchantId: string, seed?: Buffer): Promise<void>
}

/**
 * Starts the app.
 *
 * @param environment - Variables that differ from the defaults.
 * @param parts - Networks of real nodes and a Temporal server, for tests that have them.
 */
export async function startTestApi(
  environment: Record<string, string> = {},
  parts: Partial<Pick<ApiDependencies, 'networks' | 'temporal'>> & Pick<ConnectOptions, 'timeouts'> = {},
): Promise<TestApi> {
  const database = await freshDatabase({ max: 20 })
  const timeouts = parts.timeouts
  // The time-outs are for the app. The test's own statements have none.
  const sql = timeouts ? connect(database.url, { max: 20, timeouts }) : database.sql
  const networks = parts.networks ?? (await loadNetworks(undefined, {}))
  const dependencies: ApiDependencies = {
    sql,
    networks,
    environment: loadEnvironment({
      KEYTURN_DATABASE_URL: database.url,
      KEYTURN_MASTER_KEY: MASTER_KEY,
      ...environment,
    }),
    temporal: parts.temporal ?? null,
    log: pino({ level: 'silent' }),
  }
  const metrics = createMetrics(sql, networks, 0)
  const app = createApp(dependencies, { metrics })
  const expectDeclared = createDeclaredCheck(app)
  const newMerchant = async (): Promise<string> =>
    (
      await createMerchant(sql, {
        name: 'Test',
        rails: [...networks.values()].flatMap((network) =>
          network.coins.map((coin) => ({ network: network.name, coin: coin.name })),
        ),
      })
    ).id
  const merchantId = await newMerchant()
  const newKey: TestApi['newKey'] = (options = {}) =>
    createApiKey(sql, MASTER_KEY, {
      merchantId: options.merchantId ?? merchantId,
      name: 'test',
      scopes: options.scopes ?? ALL_SCOPES,
      ipAllowlist: options.ipAllowlist ?? ['0.0.0.0/0', '::/0'],
      ...(options.personId === undefined ? {} : { personId: options.personId }),
      rateLimitPerMinute: options.rateLimitPerMinute ?? 1_000_000,
    })
  const key = await newKey()
  return {
    database: timeouts ? { ...database, drop: () => sql.end({ timeout: 1 }).then(database.drop) } : database,
    app,
    dependencies,
    merchantId,
    key,
    newKey,
    newMerchant,
    metrics: async () => (await metrics.expose()).body,
    enrol: (merchant, seed = TEST_SEED) => enrol(database, merchant, seed),
    async call(call) {
      const method = call.method ?? 'GET'
      const body = call.body === undefined ? undefined : toText(call.body)
      const headers: Record<string, string> = {
        ...signedHeaders(call.key ?? key, { ...call, method, body: call.signedBody ?? body ?? '' }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...call.headers,
      }
      const response = await app.request(
        `http://api.test${call.path}`,
        { method, headers, ...(body === undefined ? {} : { body }) },
        { incoming: { url: call.path, socket: { remoteAddress: call.ip ?? '127.0.0.1' } } },
      )
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.startsWith('application/json') && text !== ''
      const json = isJson ? JSON.parse(text) : text
      expectDeclared(method, call.path, response.status, json)
      return { status: response.status, headers: response.headers, json }
    },
  }
}

/** Returns the four headers of a request, as `docs/reference/api.md` describes them to merchants. */
export function signedHeaders(
  key: ApiKeyPair,
  call: Pick<Call, 'path' | 'timestamp' | 'nonce' | 'signedPath'> & { method: string; body: string },
): Record<string, string> {
  const timestamp = call.timestamp ?? String(Math.floor(Date.now() / 1000))
  const nonce = call.nonce ?? randomUUID()
  const hash = createHash('sha256').update(call.body).digest('hex')
  const message = `${timestamp}\n${nonce}\n${call.method}\n${call.signedPath ?? call.path}\n${hash}`
  return {
    'X-Api-Key': key.id,
    'X-Timestamp': timestamp,
    'X-Nonce': nonce,
    'X-Signature': createHmac('sha256', key.secret).update(message).digest('hex'),
  }
}

function toText(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body)
}

async function enrol({ sql }: TestDatabase, merchantId: string, seed: Buffer): Promise<void> {
  const root = BIP32Factory(ecc).fromSeed(seed)
  const testnet = { public: 0x043587cf, private: 0x04358394 }
  const signerId = newId('sig')
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES (${signerId}, ${merchantId}, 'test', '0', ${Buffer.from(createHash('sha256').update(merchantId).digest())},
            ${Buffer.from(root.fingerprint).toString('hex')}, ${'0'.repeat(64)})`
  for (const [network, path] of [
    ['bitcoin', "m/84'/1'/0'"],
    ['ethereum', "m/44'/60'/0'"],
  ] as const) {
    const account = root.derivePath(path).neutered()
    if (network === 'bitcoin') account.network = { ...account.network, bip32: testnet }
    await sql`
      INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
      VALUES (${newId('acc')}, ${merchantId}, ${signerId}, ${network}, 'deposit', ${path}, ${account.toBase58()})`
  }
}
