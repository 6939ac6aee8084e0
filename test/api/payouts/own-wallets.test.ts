/** Payouts to the own wallets of a merchant are refused, in every notation of an address. */

import { address as addresses } from 'bitcoinjs-lib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import { fireSchedule } from '../../../db/payouts/schedules/fire-schedule.js'
import type { Networks } from '../../../domain/chain/network.js'
import { loadNetworks } from '../../../networks/load-networks.js'
import { type Stage, startStage } from '../../stage/start-stage.js'

const KINDS = ['master', 'hot', 'gas', 'change'] as const
let networks: Networks
let stage: Stage

beforeAll(async () => {
  networks = await loadNetworks(undefined, {
    BITCOIN_ENABLED: 'true',
    BITCOIN_CASH_ENABLED: 'true',
    ETHEREUM_ENABLED: 'true',
  })
  stage = await startStage({ networks })
  await stage.credit('bitcoin', 'btc', '', 10n ** 9n)
  await stage.credit('bitcoin-cash', 'bch', '', 10n ** 9n)
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
  await stage.credit('ethereum', 'usdt', '', 10n ** 9n)
})
afterAll(() => stage?.close())

/** Returns every notation of one address. */
function notations(network: string, address: string): string[] {
  if (network === 'ethereum') {
    const digits = address.slice(2)
    return [address, `0x${digits.toLowerCase()}`, `0x${digits.toUpperCase()}`]
  }
  if (network === 'bitcoin-cash') {
    const [prefix = '', body = ''] = address.split(':')
    return [address, body, body.toUpperCase(), `${prefix}:${body}`.toUpperCase()]
  }
  const { data } = addresses.fromBech32(address)
  // The same key as P2PKH, an address that the platform does not watch.
  return [address, address.toUpperCase(), addresses.toBase58Check(data, 0x6f)]
}

const reserved = async () =>
  (await stage.api.database.sql`SELECT 1 FROM ledger_accounts WHERE kind = 'reserved' AND balance <> 0`)
    .length

describe.each([
  ['bitcoin', 'btc'],
  ['bitcoin-cash', 'bch'],
  ['ethereum', 'eth'],
  ['ethereum', 'usdt'],
])('%s of a merchant', (network, coin) => {
  test.each(KINDS.filter((kind) => network !== 'ethereum' || kind !== 'change'))(
    'refuses withdrawals, batches, schedules, whitelist entries and estimates to the own %s address in any notation',
    async (kind) => {
      const { address } = await stage.wallet(network, kind)
      for (const to_address of notations(network, address)) {
        const withdrawal = { network, coin, amount: '1', to_address }
        const single = await stage.create(withdrawal)
        expect([single.status, single.json.error]).toMatchObject([422, { code: 'INVALID_ADDRESS' }])
        const reason = kind === 'change' ? 'the address of your own change' : `your own ${kind} wallet`
        expect(single.json.error.message).toContain(reason)
        expect(single.json.error.details).toMatchObject({ network })
        const stranger = network === 'ethereum' ? '0x742d35Cc6634C0532925a3b844Bc454e4438f44e' : undefined
        const batch = await stage.createBatch({
          batch_withdrawal: {
            network,
            coin,
            outputs: [
              ...(stranger ? [{ to_address: stranger, amount: '1' }] : []),
              { to_address, amount: '1' },
            ],
          },
        })
        expect([batch.status, batch.json.error]).toMatchObject([
          422,
          {
            code: 'INVALID_ADDRESS',
            details: { outputs: [{ index: stranger ? 1 : 0, code: 'INVALID_ADDRESS' }] },
          },
        ])
        const schedule = await stage.api.call({
          method: 'POST',
          path: '/api/v1/withdrawal-schedules',
          body: { label: 'own', interval_seconds: 3_600, withdrawal },
        })
        expect([schedule.status, schedule.json.error]).toMatchObject([422, { code: 'INVALID_ADDRESS' }])
        const entry = await stage.api.call({
          method: 'POST',
          path: '/api/v1/whitelist/addresses',
          body: { network, address: to_address, label: 'own' },
        })
        expect([entry.status, entry.json.error]).toMatchObject([
          422,
          { code: 'INVALID_ADDRESS', message: expect.stringContaining(reason) },
        ])
        const estimate = await stage.api.call({
          method: 'POST',
          path: '/api/v1/withdrawals/estimate',
          body: { network, coin, amount: '1', to_address },
        })
        expect([estimate.status, estimate.json.error]).toMatchObject([
          422,
          { code: 'INVALID_ADDRESS', message: expect.stringContaining(reason) },
        ])
      }
      expect(await reserved()).toBe(0)
    },
  )
})

test('refuses the firing of an older schedule that pays an own wallet', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/withdrawal-schedules',
    body: {
      label: 'payroll',
      interval_seconds: 3_600,
      withdrawal: {
        network: 'ethereum',
        coin: 'eth',
        amount: '1',
        to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
      },
    },
  })
  const { address } = await stage.wallet('ethereum', 'hot')
  await sql`
    UPDATE withdrawal_schedules SET template = jsonb_set(template, '{to_address}', ${sql.json(address)})
    WHERE id = ${json.data.id}`
  const options = { expiryMs: 86_400_000, screen: false }
  expect(await fireSchedule(sql, networks, json.data.id, new Date(), options)).toMatchObject({
    outcome: 'refused',
    code: 'INVALID_ADDRESS',
  })
})

test('ends an older withdrawal to an own wallet unpaid, and releases its hold', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
  })
  const { address } = await stage.wallet('ethereum', 'master')
  await sql`UPDATE payouts SET stage = 'approved', to_address = ${address} WHERE id = ${json.data.id}`
  await buildWithdrawal({ sql, networks, adapters: stage.adapters }, json.data.id)
  expect(await stage.read(json.data.id)).toMatchObject({
    stage: 'failed',
    failure: { code: 'INVALID_ADDRESS' },
  })
  expect(await reserved()).toBe(0)
})

test('pays a deposit address of a user of the same merchant, who is credited', async () => {
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'alice', network: 'bitcoin' },
  })
  const { status } = await stage.create({
    network: 'bitcoin',
    coin: 'btc',
    amount: '1',
    to_address: json.data.address,
  })
  expect(status).toBe(201)
})
