/** Further hot wallets and consolidations that administrators request. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { deriveAddress } from '../../../domain/address/derive-address.js'
import { findNetwork } from '../../../domain/chain/network.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
})
afterAll(() => stage?.close())

const post = (path: string, body: unknown, scopes?: string[]) =>
  (async () =>
    stage.api.call({
      method: 'POST',
      path: `/api/v1${path}`,
      body,
      ...(scopes ? { key: await stage.api.newKey({ scopes }) } : {}),
    }))()

test('derives further hot wallets from the next keys of the signer’s report, in both families', async () => {
  for (const network of ['ethereum', 'bitcoin']) {
    const { xpub } =
      stage.signer.reports().find((each) => each.network === network && each.role === 'hot') ?? {}
    const made = await Promise.all(
      Array.from({ length: 4 }, () => post('/wallets', { network, kind: 'hot' })),
    )
    expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    const expected = [1, 2, 3, 4].map(
      (index) =>
        deriveAddress({ network: findNetwork(networks, network), xpub: xpub ?? '', branch: 0, index })
          .address,
    )
    expect(made.map(({ json }) => json.data.address).sort()).toEqual(expected.sort())
  }
  const { json } = await stage.api.call({ path: '/api/v1/wallets' })
  expect(json.data.filter((each: { kind: string }) => each.kind === 'hot')).toHaveLength(10)
})

test('makes one wallet for one Idempotency-Key', async () => {
  const call = () =>
    stage.api.call({
      method: 'POST',
      path: '/api/v1/wallets',
      body: { network: 'ethereum', kind: 'hot' },
      headers: { 'Idempotency-Key': 'wallet-1' },
    })
  const [first, second] = [await call(), await call()]
  expect(second.json.data.id).toBe(first.json.data.id)
})

test('lets only administrators make wallets and request consolidations', async () => {
  const scopes = ['read', 'withdrawals', 'payments', 'approvals', 'policy', 'webhooks']
  for (const [path, body] of [
    ['/wallets', { network: 'ethereum', kind: 'hot' }],
    ['/movements/consolidate', { network: 'ethereum' }],
  ] as const) {
    const refused = await post(path, body, scopes)
    expect([refused.status, refused.json.error.code]).toEqual([403, 'INSUFFICIENT_SCOPE'])
  }
  const unread = await stage.api.call({
    path: '/api/v1/movements',
    key: await stage.api.newKey({ scopes: ['payments'] }),
  })
  expect(unread.status).toBe(403)
})

test.each([
  ['/wallets', { network: 'ethereum', kind: 'master' }, 400, 'VALIDATION_FAILED'],
  ['/wallets', { network: 'dogecoin', kind: 'hot' }, 422, 'UNSUPPORTED_NETWORK'],
  ['/movements/consolidate', { network: 'dogecoin' }, 422, 'UNSUPPORTED_NETWORK'],
  ['/movements/consolidate', { network: 'ethereum', coin: 'btc' }, 422, 'UNSUPPORTED_COIN'],
  ['/movements/consolidate', { network: 'ethereum', address: 'x' }, 400, 'VALIDATION_FAILED'],
])('%s refuses %j', async (path, body, status, code) => {
  const answer = await post(path, body)
  expect([answer.status, answer.json.error.code]).toEqual([status, code])
})

test('refuses a wallet without a signer, and does not find an unknown movement', async () => {
  const key = await stage.api.newKey({ merchantId: await stage.api.newMerchant() })
  const made = await stage.api.call({
    method: 'POST',
    path: '/api/v1/wallets',
    body: { network: 'ethereum', kind: 'hot' },
    key,
  })
  expect([made.status, made.json.error.code]).toEqual([422, 'NO_SIGNER'])
  for (const rest of ['', '/intent']) {
    const { status, json } = await stage.api.call({ path: `/api/v1/movements/mov_nobody${rest}` })
    expect([status, json.error.code]).toEqual([404, 'NOT_FOUND'])
  }
})

test('consolidates neither empty addresses nor those of other merchants', async () => {
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'alice', network: 'ethereum' },
  })
  const asked = await post('/movements/consolidate', { network: 'ethereum', address_id: json.data.id })
  expect(asked.json.data.consolidations).toEqual([])
  const wallet = await stage.wallet('ethereum', 'hot')
  await stage.credit('ethereum', 'eth', '', 10n ** 18n)
  for (const address_id of [wallet.id, 'addr_of_nobody']) {
    const { status, json: refused } = await post('/movements/consolidate', {
      network: 'ethereum',
      address_id,
    })
    expect([status, refused.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
    expect(refused.error.details.fields).toMatchObject([{ path: 'address_id' }])
  }
})
