/** Batches on Bitcoin, from the request to exact books. */

import { networks as bitcoinNetworks, Psbt, payments } from 'bitcoinjs-lib'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { replaceSanctions } from '../../../db/controls/sanctions/replace-sanctions.js'
import { parseAmount } from '../../../domain/money.js'
import { type BitcoinRail, openBitcoin } from '../../stage/open-bitcoin.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'

/** Recipients of one transaction. */
const MOST = 16
let rail: BitcoinRail
let stage: Stage
let adapter: UtxoAdapter

beforeAll(async () => {
  rail = await openBitcoin({ outputs: 8, environment: { KEYTURN_BATCH_OUTPUTS: String(MOST) } })
  ;({ stage, adapter } = rail)
})
afterEach(async () => {
  await stage.signer.stop()
  await replaceSanctions(stage.api.database.sql, '')
})
afterAll(() => rail?.close())

/** Returns an address that no one else pays. */
const address = (number: number): string =>
  payments.p2wpkh({
    hash: Buffer.from(number.toString(16).padStart(40, '7'), 'hex'),
    network: bitcoinNetworks.regtest,
  }).address ?? ''
const ask = async (outputs: { to_address: string; amount: string }[]): Promise<string> => {
  const { status, json } = await stage.createBatch({
    batch_withdrawal: { network: 'bitcoin', coin: 'btc', outputs },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data.id
}
async function expectBooksToMatch(): Promise<void> {
  const { sql } = stage.api.database
  const [row] = await sql<{ books: bigint }[]>`
    SELECT coalesce(sum(balance), 0)::numeric AS books FROM ledger_accounts WHERE kind = 'chain'`
  const hot = await stage.wallet('bitcoin', 'hot')
  const change = await stage.wallet('bitcoin', 'change')
  expect(row?.books).toBe(
    (await adapter.balance(hot.address, 'btc')) + (await adapter.balance(change.address, 'btc')),
  )
  expect(await stage.balance('bitcoin', 'btc', 'reserved', '')).toBe(0n)
  expect(await sql`SELECT 1 FROM utxo_reservations WHERE released_at IS NULL`).toEqual([])
}

test('pays thirty outputs with two transactions, each with its items in their order, and two rows to one address', async () => {
  stage.signer.run(realSigner(stage))
  const own = await stage.balance('bitcoin', 'btc', 'available', '')
  const outputs = Array.from({ length: 30 }, (_, index) => ({
    to_address: address(index === 29 ? 0 : index),
    amount: `0.0${10 + index}`,
  }))
  const id = await ask(outputs)
  await stage.approve(id)
  const view = await stage.untilBatch(id, 'confirmed', 120)
  const hashes = view.items.map((item) => item.transaction_hash)
  expect(new Set(hashes.slice(0, MOST)).size).toBe(1)
  expect(new Set(hashes.slice(MOST)).size).toBe(1)
  expect(new Set(hashes).size).toBe(2)
  expect(await adapter.balance(address(0), 'btc')).toBe(parseAmount('0.010', 8) + parseAmount('0.039', 8))
  expect(await adapter.balance(address(17), 'btc')).toBe(parseAmount('0.027', 8))
  const total = outputs.reduce((sum, output) => sum + parseAmount(output.amount, 8), 0n)
  expect(await stage.balance('bitcoin', 'btc', 'available', '')).toBe(own + total + parseAmount(view.fee, 8))
  // Either part may be built first.
  const first = stage.signer.claimed.find((request) => request.items?.includes(0))
  if (first?.payload.family !== 'utxo') throw new Error('claimed')
  expect(first.items).toEqual(Array.from({ length: MOST }, (_, index) => index))
  expect(first.intent.outputs).toHaveLength(30)
  const paid = Psbt.fromBase64(first.payload.psbt, { network: bitcoinNetworks.regtest }).txOutputs.map(
    (output) => output.address,
  )
  expect(paid.slice(0, MOST)).toEqual(outputs.slice(0, MOST).map((output) => output.to_address))
  await expectBooksToMatch()
  await stage.ended(id, 'btc')
}, 180_000)

test('ejects a recipient that came onto the sanctions list before its transaction is built, and pays the rest', async () => {
  const own = await stage.balance('bitcoin', 'btc', 'available', '')
  const outputs = [60, 61, 62].map((number) => ({ to_address: address(number), amount: '0.05' }))
  const id = await ask(outputs)
  await replaceSanctions(stage.api.database.sql, address(61))
  stage.signer.run(realSigner(stage))
  await stage.approve(id)
  const view = await stage.untilBatch(id, 'partially_confirmed', 90)
  expect(view.items.map((item) => [item.status, item.failure?.code ?? null])).toEqual([
    ['confirmed', null],
    ['failed', 'SANCTIONED'],
    ['confirmed', null],
  ])
  expect(view.items[1]?.transaction_hash).toBeNull()
  expect(await adapter.balance(address(61), 'btc')).toBe(0n)
  expect(await stage.balance('bitcoin', 'btc', 'available', '')).toBe(
    own + parseAmount('0.1', 8) + parseAmount(view.fee, 8),
  )
  expect(stage.signer.claimed.at(-1)?.items).toEqual([0, 2])
  await expectBooksToMatch()
}, 120_000)

test('fails a part of which no recipient can be paid, and releases all of its hold', async () => {
  const own = await stage.balance('bitcoin', 'btc', 'available', '')
  const id = await ask([{ to_address: address(70), amount: '0.05' }])
  await replaceSanctions(stage.api.database.sql, address(70))
  await stage.approve(id)
  const view = await stage.untilBatch(id, 'failed', 60)
  expect(view.items[0]).toMatchObject({ status: 'failed', failure: { code: 'SANCTIONED' } })
  expect(await stage.balance('bitcoin', 'btc', 'available', '')).toBe(own)
  await expectBooksToMatch()
}, 90_000)
