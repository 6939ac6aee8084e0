/** The client against a real API over HTTP: it signs, retries, and checks addresses. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { ripemd160 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { BIP32Factory } from 'bip32'
import { address as bitcoinAddress } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiError } from '../../client/api-error.js'
import { checkAddress, type ExportedXpub, ForeignAddressError } from '../../client/check-address.js'
import { createClient } from '../../client/create-client.js'
import { deriveAddress } from '../../domain/address/derive-address.js'
import { derivePublicKey } from '../../domain/address/derive-public-key.js'
import { evmPayee } from '../../domain/address/evm-payee.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { startTestApi, TEST_SEED, type TestApi } from '../stage/test-api.js'

let api: TestApi
let server: Server
let baseUrl: string
let xpubs: ExportedXpub[]
beforeAll(async () => {
  api = await startTestApi()
  await api.enrol(api.merchantId)
  server = serve({ fetch: api.app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
  await new Promise((resolve) => (server.listening ? resolve(null) : server.once('listening', resolve)))
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const rows = await api.database.sql<{ network: string; path: string; xpub: string }[]>`
    SELECT network, path, xpub FROM key_accounts WHERE merchant_id = ${api.merchantId}`
  xpubs = rows.map((row) => ({ ...row, role: 'deposit' as const }))
})
afterAll(async () => {
  server?.close()
  await api?.database.drop()
})

const client = (options: Partial<Parameters<typeof createClient>[0]> = {}) =>
  createClient({ baseUrl, apiKey: api.key.id, apiSecret: api.key.secret, xpubs, ...options })

test('checks the address of a payment, and refuses one that the signer does not hold', async () => {
  const made = await client().payments.create({
    user_reference: 'payer',
    network: 'bitcoin',
    coin: 'btc',
    amount: '1',
  })
  expect(made).toMatchObject({ status: 'pending', amount: '1' })
  expect(await client().payments.get(made.payment_id)).toEqual(made)
  expect((await client().payments.list({ user_reference: 'payer' })).items).toEqual([made])
  const stranger = await client().payments.create({
    user_reference: 'other',
    network: 'bitcoin',
    coin: 'btc',
    amount: '1',
  })
  await api.database.sql`
    UPDATE addresses SET derivation_path = ${made.derivation_path} WHERE address = ${stranger.address}`
  await expect(client().payments.get(stranger.payment_id)).rejects.toThrow(ForeignAddressError)
  await expect(client().payments.cancel(stranger.payment_id)).rejects.toThrow(ForeignAddressError)
  expect(
    await client({ xpubs: [] }).request({ method: 'GET', path: `/payments/${stranger.payment_id}` }),
  ).toBeDefined()
})

test('makes signed calls over HTTP, with queries that need escaping', async () => {
  const reference = 'user/ä 7&x=1?#😀'
  const made = await client().addresses.create({ user_reference: reference, network: 'bitcoin' })
  const found = await client().addresses.list({ user_reference: reference, limit: 1 })
  expect(found.items).toEqual([made])
  expect(found.pagination.has_more).toBe(false)
  expect(await client().addresses.get(made.id)).toEqual(made)
  expect((await client().networks.list()).items.map((each) => each.network)).toContain('bitcoin')
  expect((await client().balances.list({ coin: 'btc' })).items).toHaveLength(1)
  expect((await client().deposits.list()).items).toEqual([])
  expect((await client().wallets.list()).items).toEqual([])
  expect((await client().auditLog.verify()).valid).toBe(true)
})

test('throws an error answer with its code and request id', async () => {
  const error = await client()
    .addresses.create({ user_reference: 'u', network: 'dogecoin' })
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ApiError)
  expect(error).toMatchObject({
    status: 422,
    code: 'UNSUPPORTED_NETWORK',
    requestId: expect.stringMatching(/^req_/),
  })
})

test('retries a request whose answer was lost, and the request is done once', async () => {
  let sent = 0
  const flaky = client({
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      if (++sent < 3) throw new TypeError('the connection broke after the request was done')
      return response
    },
  })
  const made = await flaky.addresses.create({ user_reference: 'flaky', network: 'ethereum', new: true })
  expect(sent).toBe(3)
  const { items } = await client().addresses.list({ user_reference: 'flaky' })
  expect(items).toEqual([made])
})

test('never retries a request that must not be sent twice', async () => {
  let sent = 0
  const flaky = client({
    fetch: async () => {
      sent++
      throw new TypeError('broken')
    },
  })
  await expect(flaky.webhookEndpoints.remove('whe_1')).rejects.toThrow('broken')
  expect(sent).toBe(1)
})

test('retries after 429 and 503', async () => {
  const answers = [
    [429, 'RATE_LIMITED'],
    [503, 'DEPENDENCY_UNAVAILABLE'],
  ] as const
  let sent = 0
  const limited = createServer((_request, response) => {
    const answer = answers[sent++]
    response.setHeader('Content-Type', 'application/json')
    if (!answer) return response.end(JSON.stringify({ success: true, data: { id: 'x' } }))
    response.statusCode = answer[0]
    return response.end(
      JSON.stringify({
        success: false,
        error: { code: answer[1], message: '', details: {}, request_id: '' },
      }),
    )
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => limited.once('listening', resolve))
  const url = `http://127.0.0.1:${(limited.address() as AddressInfo).port}`
  expect(await client({ baseUrl: url }).deposits.get('x')).toEqual({ id: 'x' })
  expect(sent).toBe(3)
  limited.close()
})

test('refuses an address that the signer does not hold, in every disguise', async () => {
  const made = await client().addresses.create({ user_reference: 'victim', network: 'bitcoin' })
  const networks = await loadNetworks(undefined, {})
  const bitcoin = networks.get('bitcoin')!
  const attacker = BIP32Factory(ecc)
    .fromSeed(Buffer.alloc(32, 9), {
      ...BIP32Factory(ecc).fromSeed(TEST_SEED).network,
      bip32: { public: 0x043587cf, private: 0x04358394 },
    })
    .derivePath("m/84'/1'/0'")
    .neutered()
    .toBase58()
  const foreign = deriveAddress({ network: bitcoin, xpub: attacker, branch: 0, index: 0 }).address
  const own = xpubs.find((each) => each.network === 'bitcoin')!
  const { data: hash } = bitcoinAddress.fromBech32(made.address)
  const indexOf = (address: { derivation_path: string }) => Number(address.derivation_path.split('/').at(-1))
  const atIndex = (index: number) => ({
    ...made,
    derivation_path: `${own.path}/0/${index}`,
    address: deriveAddress({ network: bitcoin, xpub: own.xpub, branch: 0, index }).address,
  })
  const refusals = [
    { ...made, address: foreign },
    // Our own key, but at another index than the path says.
    { ...made, derivation_path: `${own.path}/0/999999` },
    { ...made, derivation_path: "m/84'/1'/7'/0/0" },
    { ...made, derivation_path: `${own.path}/1/0` },
    { ...made, derivation_path: `${own.path}/0/0/0` },
    { ...made, network: 'litecoin' },
    // The same key where the signer does not spend: above its bound, as P2PKH, and on other networks.
    atIndex(2_000_000_000),
    atIndex(1_000_001),
    { ...made, address: bitcoinAddress.toBase58Check(hash, 0x6f) },
    { ...made, address: bitcoinAddress.toBech32(hash, 0, 'bc') },
    { ...made, address: bitcoinAddress.toBech32(hash, 0, 'ltc') },
    { ...made, address: `0x${Buffer.from(hash).toString('hex')}` },
    { ...made, address: `0x${evmPayee(derivePublicKey(own.xpub, 0, indexOf(made)))}` },
    // The script hash of P2SH is not the hash of a key, though it has as many bytes.
    { ...made, address: bitcoinAddress.toBase58Check(bitcoinAddress.fromBech32(made.address).data, 0xc4) },
  ]
  const bounds: ExportedXpub = {
    ...own,
    max_index: indexOf(made) + 1,
    addresses: { form: 'p2wpkh', prefix: 'bcrt' },
  }
  for (const returned of refusals) {
    expect(() => checkAddress(returned, xpubs)).toThrow(ForeignAddressError)
    expect(() => checkAddress(returned, [bounds])).toThrow(ForeignAddressError)
  }
  expect(() => checkAddress(made, xpubs)).not.toThrow()
  expect(() => checkAddress(made, [bounds])).not.toThrow()
  // The signer's own export decides: its bound, the prefix of its chain, and whether it spends there at all.
  expect(() => checkAddress(atIndex(indexOf(made) + 1), [bounds])).not.toThrow()
  expect(() => checkAddress(atIndex(indexOf(made) + 2), [bounds])).toThrow(ForeignAddressError)
  const testnet: ExportedXpub = { ...bounds, addresses: { form: 'p2wpkh', prefix: 'tb' } }
  expect(() => checkAddress(made, [testnet])).toThrow(ForeignAddressError)
  expect(() => checkAddress(made, [{ ...bounds, addresses: null }])).toThrow(ForeignAddressError)

  // An attacker changed the platform's database.
  await api.database.sql`UPDATE addresses SET address = ${foreign} WHERE id = ${made.id}`
  await expect(client().addresses.get(made.id)).rejects.toThrow(ForeignAddressError)
  await expect(client().addresses.list({ user_reference: 'victim' })).rejects.toThrow(ForeignAddressError)
  await expect(client().addresses.create({ user_reference: 'victim', network: 'bitcoin' })).rejects.toThrow(
    ForeignAddressError,
  )
})

test('checks Ethereum addresses too', async () => {
  const made = await client().addresses.create({ user_reference: 'eve', network: 'ethereum' })
  const wrong = { ...made, address: '0x9858EfFD232B4033E47d90003D41EC34EcaEda95' }
  expect(() => checkAddress(wrong, xpubs)).toThrow(ForeignAddressError)
  const own = xpubs.find((each) => each.network === 'ethereum')
  if (!own) throw new Error('The signer reports Ethereum')
  const bounds: ExportedXpub = { ...own, max_index: 1_000, addresses: { form: 'evm' } }
  const index = Number(made.derivation_path.split('/').at(-1))
  const key = derivePublicKey(own.xpub, 0, index)
  const hash = ripemd160(sha256(key))
  for (const exported of [own, bounds]) {
    expect(() => checkAddress(made, [exported])).not.toThrow()
    for (const address of [bitcoinAddress.toBech32(hash, 0, 'bc'), bitcoinAddress.toBase58Check(hash, 0)]) {
      expect(() => checkAddress({ ...made, address }, [exported])).toThrow(ForeignAddressError)
    }
  }
})
