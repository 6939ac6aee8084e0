/** Many concurrent payouts from one Bitcoin wallet. */

import { setTimeout as sleep } from 'node:timers/promises'
import { networks as bitcoinNetworks, payments } from 'bitcoinjs-lib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { parseAmount } from '../../../domain/money.js'
import { type BitcoinRail, openBitcoin } from '../../stage/open-bitcoin.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'

const COUNT = 200
/** As many outputs as payouts and some more: no payout has to wait for the change of another. */
const OUTPUTS = 220
let rail: BitcoinRail
let stage: Stage
let adapter: UtxoAdapter

beforeAll(async () => {
  rail = await openBitcoin({ outputs: OUTPUTS })
  ;({ stage, adapter } = rail)
})
afterAll(() => rail?.close())

const address = (number: number): string =>
  payments.p2wpkh({
    hash: Buffer.from((0x1_0000 + number).toString(16).padStart(40, '9'), 'hex'),
    network: bitcoinNetworks.regtest,
  }).address ?? ''

test('story 8: pays two hundred concurrent payouts from one wallet once each, with every outpoint once', async () => {
  const { sql } = stage.api.database
  const ids = await Promise.all(
    Array.from({ length: COUNT }, async (_, number) => {
      const { status, json } = await stage.create({
        network: 'bitcoin',
        coin: 'btc',
        amount: '0.01',
        to_address: address(number),
      })
      if (status !== 201) throw new Error(JSON.stringify(json))
      await stage.approve(json.data.id)
      return json.data.id as string
    }),
  )
  stage.signer.run(realSigner(stage))
  for (let attempt = 0; ; attempt++) {
    const rows = await sql<{ stage: string; failure_message: string | null }[]>`
      SELECT stage, failure_message FROM payouts WHERE id = ANY (${ids}) AND stage <> 'confirmed'`
    if (rows.length === 0) break
    const failed = rows.find((row) => row.failure_message !== null)
    if (failed || attempt > 2_000) throw new Error(JSON.stringify([rows.length, failed]))
    await sleep(100)
  }
  const spent = await sql<{ outpoint: string; txid: string }[]>`
    SELECT input ->> 'txid' || ':' || (input ->> 'vout') AS outpoint, attempt.txid
    FROM attempts attempt, jsonb_array_elements(attempt.inputs) AS input
    WHERE attempt.payout_id = ANY (${ids}) AND attempt.state = 'final'`
  expect(new Set(spent.map((row) => row.outpoint)).size).toBe(spent.length)
  expect(new Set(spent.map((row) => row.txid)).size).toBe(COUNT)
  const amount = parseAmount('0.01', 8)
  for (let number = 0; number < COUNT; number++) {
    expect(await adapter.balance(address(number), 'btc')).toBe(amount)
  }
  const [row] = await sql<{ books: bigint }[]>`
    SELECT coalesce(sum(balance), 0)::numeric AS books FROM ledger_accounts WHERE kind = 'chain'`
  const hot = await stage.wallet('bitcoin', 'hot')
  const change = await stage.wallet('bitcoin', 'change')
  expect(row?.books).toBe(
    (await adapter.balance(hot.address, 'btc')) + (await adapter.balance(change.address, 'btc')),
  )
  expect(await stage.balance('bitcoin', 'btc', 'reserved', '')).toBe(0n)
  expect(await sql`SELECT 1 FROM utxo_reservations WHERE released_at IS NULL`).toEqual([])
}, 240_000)
