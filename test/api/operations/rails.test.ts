/** A merchant can use only the rails that the operator enabled for it, by network and coin. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEnrolmentToken } from '../../../db/merchants/create-enrolment-token.js'
import { createMerchant } from '../../../db/merchants/create-merchant.js'
import { encodeCashAddress } from '../../../domain/address/cashaddr.js'
import { loadNetworks } from '../../../networks/load-networks.js'
import { createSignerDouble } from '../../stage/signer-double.js'
import { type ApiKeyPair, MASTER_KEY, startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
let key: ApiKeyPair
let merchantId: string

beforeAll(async () => {
  const networks = await loadNetworks(undefined, {
    LITECOIN_ENABLED: 'true',
    BITCOIN_CASH_ENABLED: 'true',
    POLYGON_ENABLED: 'true',
  })
  api = await startTestApi({}, { networks })
  const { sql } = api.database
  // The platform serves all rails and the signer has keys for all; the operator enabled two of them.
  ;({ id: merchantId } = await createMerchant(sql, {
    name: 'Litecoin and USDT',
    rails: [
      { network: 'litecoin', coin: 'ltc' },
      { network: 'ethereum', coin: 'usdt' },
    ],
  }))
  key = await api.newKey({ merchantId })
  const { token } = await createEnrolmentToken(sql, MASTER_KEY, { merchantId })
  const enrolled = await createSignerDouble(api, networks).enrol(token)
  expect(enrolled.status).toBe(201)
})
afterAll(async () => {
  await api?.database.drop()
})

const DESTINATION: Readonly<Record<string, string>> = {
  ethereum: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  polygon: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  bitcoin: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
  litecoin: 'rltc1qmltmmplggh8jnwtvlj3muycyhqr6kgd02fzy37',
  'bitcoin-cash': encodeCashAddress('bchreg', { kind: 'p2pkh', hash: new Uint8Array(20).fill(7) }),
}
const post = async (path: string, body: unknown) => {
  const { status, json } = await api.call({ method: 'POST', path: `/api/v1/${path}`, body, key })
  return { status, code: json.error?.code, details: json.error?.details, data: json.data }
}
const withdraw = (network: string, coin: string) =>
  post('withdrawals', { network, coin, amount: '1', to_address: DESTINATION[network] })
const count = async (table: 'addresses' | 'payouts' | 'ledger_entries') => {
  const [row] = await api.database.sql<{ rows: number }[]>`
    SELECT count(*)::integer AS rows FROM ${api.database.sql(table)}`
  return row?.rows
}

test.each([
  ['bitcoin', 'btc'],
  ['bitcoin-cash', 'bch'],
  ['ethereum', 'eth'],
  ['polygon', 'pol'],
  ['polygon', 'usdc'],
])('a withdrawal on %s of %s is refused, and nothing of it is kept', async (network, coin) => {
  const { status, code, details } = await withdraw(network, coin)
  expect([status, code, details]).toEqual([422, 'RAIL_NOT_ENABLED', { network, coin }])
  expect([await count('payouts'), await count('ledger_entries')]).toEqual([0, 0])
})

test.each(['bitcoin', 'bitcoin-cash', 'polygon'])('refuses an address on %s', async (network) => {
  const before = await count('addresses')
  const { status, code, details } = await post('addresses', { user_reference: 'anna', network })
  expect([status, code, details]).toEqual([422, 'RAIL_NOT_ENABLED', { network }])
  expect(await count('addresses')).toBe(before)
})

test('accepts withdrawals on enabled rails up to the balance', async () => {
  for (const network of ['litecoin', 'ethereum']) {
    expect((await post('addresses', { user_reference: 'anna', network })).status).toBe(201)
  }
  expect((await withdraw('litecoin', 'ltc')).code).toBe('INSUFFICIENT_BALANCE')
  expect((await withdraw('ethereum', 'usdt')).code).toBe('INSUFFICIENT_BALANCE')
})

test('opens a rail at once when it is enabled', async () => {
  expect((await withdraw('polygon', 'usdc')).code).toBe('RAIL_NOT_ENABLED')
  await api.database.sql`
    INSERT INTO merchant_rails (merchant_id, network, coin) VALUES (${merchantId}, 'polygon', 'usdc')`
  expect((await withdraw('polygon', 'usdc')).code).toBe('INSUFFICIENT_BALANCE')
  expect((await withdraw('polygon', 'pol')).code).toBe('RAIL_NOT_ENABLED')
})
