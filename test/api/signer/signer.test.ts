/** The API of signers: enrolment, claims and answers. */

import { createPublicKey, verify } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEnrolmentToken } from '../../../db/merchants/create-enrolment-token.js'
import { markOfflineSigners } from '../../../db/signing/mark-offline-signers.js'
import { deriveAddress } from '../../../domain/address/derive-address.js'
import type { XpubReport } from '../../../domain/signing/signer-protocol.js'
import { createSignerDouble, type SignerAnswer } from '../../stage/signer-double.js'
import { MASTER_KEY, startTestApi, type TestApi } from '../../stage/test-api.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
let api: TestApi
beforeAll(async () => {
  api = await startTestApi({}, { networks })
})
afterAll(() => api?.database.drop())

const newToken = async (merchantId: string, ttlMs?: number) =>
  (
    await createEnrolmentToken(api.database.sql, MASTER_KEY, {
      merchantId,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    })
  ).token
/** Makes a merchant with an enrolment token, so that tests do not share one. */
const newCustomer = async () => {
  const merchantId = await api.newMerchant()
  return { merchantId, token: await newToken(merchantId), signer: createSignerDouble(api, networks) }
}
const reason = (answer: SignerAnswer) => [answer.status, answer.json.error?.details?.reason]

function change(network: string, role: string, fields: Partial<XpubReport>) {
  return (xpubs: XpubReport[]) =>
    xpubs.map((each) => (each.network === network && each.role === role ? { ...each, ...fields } : each))
}

test('answers an enrolment with the signer’s id, its wallets, and the platform key that signs the answer', async () => {
  const { merchantId, token, signer } = await newCustomer()
  const answer = await signer.enrol(token)
  expect(answer.status).toBe(201)
  const { data } = answer.json
  expect(data.merchant_id).toBe(merchantId)
  expect(Buffer.from(data.platform_public_key, 'base64').toString('base64url')).toBe(token.split('.')[1])
  const reported = new Map(signer.reports().map((each) => [`${each.network} ${each.role}`, each.xpub]))
  expect(data.wallets).toHaveLength(6)
  for (const wallet of data.wallets) {
    const network = networks.get(wallet.network)
    const xpub = reported.get(`${wallet.network} ${wallet.kind}`)
    if (!network || !xpub) throw new Error('reported')
    expect(wallet.address).toBe(deriveAddress({ network, xpub, branch: 0, index: 0 }).address)
  }
  const key = createPublicKey({
    key: Buffer.concat([
      Buffer.from('302a300506032b6570032100', 'hex'),
      Buffer.from(data.platform_public_key, 'base64'),
    ]),
    format: 'der',
    type: 'spki',
  })
  const signed = (text: string) =>
    verify(
      null,
      Buffer.from(`keyturn-platform-v1\n${answer.nonce}\n${text}`),
      key,
      Buffer.from(answer.signature, 'base64'),
    )
  expect(signed(answer.text)).toBe(true)
  expect(signed(`${answer.text} `)).toBe(false)
  const [change] = await api.database.sql<{ derivation_path: string }[]>`
    SELECT derivation_path FROM addresses WHERE merchant_id = ${merchantId} AND kind = 'change'`
  expect(change?.derivation_path).toBe("m/84'/1'/1'/1/0")
})

test('answers the same to an identity that enrols again, and refuses another identity', async () => {
  const { token, signer } = await newCustomer()
  const first = await signer.enrol(token)
  const again = await signer.enrol(token)
  expect(again.status).toBe(200)
  expect(again.json.data).toEqual(first.json.data)
  const thief = createSignerDouble(api, networks)
  expect(reason(await thief.enrol(token))).toEqual([422, 'TOKEN_USED'])
})

test('enrols one of two signers that use one token at once', async () => {
  const { token, merchantId } = await newCustomer()
  const answers = await Promise.all(
    [createSignerDouble(api, networks), createSignerDouble(api, networks)].map((signer) =>
      signer.enrol(token),
    ),
  )
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 422])
  const [{ count }] = (await api.database.sql`
    SELECT count(*)::int AS count FROM signers WHERE merchant_id = ${merchantId}`) as unknown as [
    { count: number },
  ]
  expect(count).toBe(1)
})

test('refuses an unknown or expired token', async () => {
  const { merchantId, signer } = await newCustomer()
  expect(reason(await signer.enrol('ket_unknown'))).toEqual([422, 'TOKEN_UNKNOWN'])
  expect(reason(await signer.enrol(await newToken(merchantId, -1_000)))).toEqual([422, 'TOKEN_EXPIRED'])
})

test('allows one signer for each network of a merchant, and enrols an identity or a key once', async () => {
  const { merchantId, token, signer } = await newCustomer()
  await signer.enrol(token)
  const second = createSignerDouble(api, networks)
  expect(reason(await second.enrol(await newToken(merchantId)))).toEqual([422, 'ALREADY_ENROLLED'])
  const other = await api.newMerchant()
  expect(reason(await signer.enrol(await newToken(other)))).toEqual([422, 'IDENTITY_IN_USE'])
  const seed = Buffer.alloc(32, 9)
  const twin = createSignerDouble(api, networks, seed)
  expect((await twin.enrol(await newToken(other))).status).toBe(201)
  const copy = createSignerDouble(api, networks, seed)
  expect(reason(await copy.enrol(await newToken(await api.newMerchant())))).toEqual([422, 'XPUB_IN_USE'])
})

test('refuses a private key and never stores it', async () => {
  const { token, signer } = await newCustomer()
  const xprv =
    'tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK'
  const answer = await signer.enrol(token, change('bitcoin', 'hot', { xpub: xprv }))
  expect(reason(answer)).toEqual([422, 'PRIVATE_KEY'])
  expect(answer.text).not.toContain(xprv)
  const rows = await api.database.sql`SELECT 1 FROM key_accounts WHERE xpub LIKE '%prv%'`
  expect(rows).toHaveLength(0)
})

test('names the first fault of a report', async () => {
  const { token, signer } = await newCustomer()
  const bitcoin = signer.reports().find((each) => each.network === 'bitcoin')
  const ethereum = signer.reports().find((each) => each.network === 'ethereum')
  if (!bitcoin || !ethereum) throw new Error('reports')
  const stranger = createSignerDouble(api, networks)
  const strangers = stranger.reports().find((each) => each.network === 'bitcoin' && each.role === 'hot')
  const cases: [string, (xpubs: XpubReport[]) => XpubReport[]][] = [
    // A report with version bytes of the main network on a test network.
    ['WRONG_VERSION', change('bitcoin', 'hot', { xpub: ethereum.xpub })],
    // One wrong character at the end, which the checksum finds.
    [
      'MALFORMED',
      change('bitcoin', 'hot', {
        xpub: `${bitcoin.xpub.slice(0, -1)}${bitcoin.xpub.endsWith('x') ? 'y' : 'x'}`,
      }),
    ],
    ['WRONG_PATH', change('bitcoin', 'hot', { path: "m/84'/1'/7'" })],
    // The key of another account under the right path.
    [
      'WRONG_PATH',
      (xpubs) => {
        const deposit = xpubs.find((each) => each.network === 'bitcoin' && each.role === 'deposit')
        return change('bitcoin', 'hot', { xpub: deposit?.xpub ?? '' })(xpubs)
      },
    ],
    // A proof of another key, of another role, or by another identity.
    ['PROOF_INVALID', change('bitcoin', 'hot', { proof: bitcoin.proof })],
    [
      'PROOF_INVALID',
      change('bitcoin', 'hot', { xpub: strangers?.xpub ?? '', proof: strangers?.proof ?? '' }),
    ],
    ['PROOF_INVALID', change('bitcoin', 'hot', { proof: '' })],
    ['FINGERPRINT_MISMATCH', (xpubs) => [...xpubs.slice(0, 1), ...signer.reports('deadbeef').slice(1)]],
    ['ROLES_MISSING', (xpubs) => xpubs.filter((each) => each.role !== 'gas' || each.network !== 'ethereum')],
    ['ROLES_MISSING', () => []],
    ['DUPLICATE_XPUB', (xpubs) => [...xpubs, ...xpubs.slice(0, 1)]],
    ['UNSUPPORTED_NETWORK', (xpubs) => xpubs.map((each) => ({ ...each, network: `${each.network}x` }))],
  ]
  const reasons = []
  for (const [, change] of cases) reasons.push(reason(await signer.enrol(token, change))[1])
  expect(reasons).toEqual(cases.map(([expected]) => expected))
  expect((await signer.enrol(token)).status).toBe(201)
})

test('refuses a request with a wrong signature, time or nonce, and signs the refusal', async () => {
  const { token, signer } = await newCustomer()
  await signer.enrol(token)
  const body = { journal_head: '0'.repeat(64), journal_sequence: 0, wait_seconds: 0 }
  const claim = (options: Parameters<typeof signer.send>[2]) => signer.send('/signer/v1/claim', body, options)
  const code = async (answer: Promise<SignerAnswer>) => {
    const { status, json, signature } = await answer
    expect(signature).not.toBe('')
    return [status, json.error?.code]
  }
  expect((await claim({})).status).toBe(200)
  expect(await code(claim({ signerId: 'sig_unknown' }))).toEqual([401, 'INVALID_SIGNATURE'])
  expect(await code(claim({ signerId: null }))).toEqual([401, 'INVALID_SIGNATURE'])
  expect(await code(claim({ signature: 'AAAA' }))).toEqual([401, 'INVALID_SIGNATURE'])
  expect(await code(claim({ timestamp: '1700000000' }))).toEqual([401, 'TIMESTAMP_OUT_OF_RANGE'])
  expect((await claim({ nonce: 'once' })).status).toBe(200)
  expect(await code(claim({ nonce: 'once' }))).toEqual([401, 'NONCE_REUSED'])
  await api.database.sql`UPDATE signers SET revoked_at = now() WHERE id = ${signer.signerId}`
  expect(await code(claim({}))).toEqual([401, 'INVALID_SIGNATURE'])
})

test('raises one event when a signer goes offline, and one when it returns', async () => {
  const { merchantId, token, signer } = await newCustomer()
  const { sql } = api.database
  await signer.enrol(token)
  await signer.claim()
  await signer.claim()
  await sql`UPDATE signers SET last_seen_at = now() - interval '2 minutes' WHERE id = ${signer.signerId}`
  expect(await markOfflineSigners(sql, 60_000)).toEqual([signer.signerId])
  expect(await markOfflineSigners(sql, 60_000)).toEqual([])
  await signer.claim()
  const events = await sql<{ type: string }[]>`
    SELECT type FROM events WHERE merchant_id = ${merchantId} ORDER BY position`
  expect(events.map((event) => event.type)).toEqual(['signer.online', 'signer.offline', 'signer.online'])
})

test('stores the furthest head of the journal, and hands nothing to a signer behind it', async () => {
  const { token, signer } = await newCustomer()
  await signer.enrol(token)
  const claim = async (journal_head: string, journal_sequence: number) =>
    (await signer.send('/signer/v1/claim', { journal_head, journal_sequence, wait_seconds: 0 })).json.data
      .known_journal
  expect(await claim('0'.repeat(64), 0)).toEqual({ head: '0'.repeat(64), sequence: 0 })
  expect(await claim('a'.repeat(64), 5)).toEqual({ head: 'a'.repeat(64), sequence: 5 })
  expect(await claim('b'.repeat(64), 3)).toEqual({ head: 'a'.repeat(64), sequence: 5 })
})

test('refuses an answer to an unknown request', async () => {
  const { token, signer } = await newCustomer()
  await signer.enrol(token)
  const answer = await signer.answer({
    request_id: 'srq_unknown',
    outcome: 'refused',
    code: 'PAUSED',
    message: '',
  })
  expect([answer.status, answer.json.error.code]).toEqual([404, 'NOT_FOUND'])
})

test('refuses an identity of small order, for which anyone can sign', async () => {
  const { token, signer } = await newCustomer()
  for (const raw of [[1, ...Buffer.alloc(31)], [...Buffer.alloc(32)]]) {
    const answer = await signer.send('/signer/v1/enrol', {
      token,
      identity_public_key: Buffer.from(raw).toString('base64'),
      name: 'forged',
      version: '1',
      xpubs: signer.reports(),
      journal_head: '0'.repeat(64),
      journal_sequence: 0,
    })
    expect([answer.status, answer.json.error.code]).toEqual([400, 'VALIDATION_FAILED'])
    expect(answer.json.error.message).toMatch(/small order/)
  }
  expect((await signer.enrol(token)).status).toBe(201)
})
