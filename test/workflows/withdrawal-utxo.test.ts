/** Withdrawals on Bitcoin, from the request to exact books. */

import { randomBytes } from 'node:crypto'
import { Psbt } from 'bitcoinjs-lib'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../chains/adapter.js'
import { parseAmount } from '../../domain/money.js'
import { faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { type BitcoinRail, BTC, openBitcoin } from '../stage/open-bitcoin.js'
import type { Stage } from '../stage/start-stage.js'

let rail: BitcoinRail
let stage: Stage
let adapter: UtxoAdapter

beforeAll(async () => {
  rail = await openBitcoin({ outputs: 24 })
  ;({ stage, adapter } = rail)
})
afterEach(() => stage.signer.stop())
afterAll(() => rail?.close())

/** A destination outside: the faucet’s own address, except where what arrives is counted. */
const ask = (fields: Record<string, unknown> = {}) =>
  stage.request({
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.1',
    to_address: rail.bitcoin.faucet.address,
    ...fields,
  })
const openReservations = async () =>
  (await stage.api.database.sql`SELECT 1 FROM utxo_reservations WHERE released_at IS NULL`).length
const onChain = async () => {
  const [row] = await stage.api.database.sql<{ books: bigint }[]>`
    SELECT coalesce(sum(balance), 0)::numeric AS books FROM ledger_accounts WHERE kind = 'chain'`
  const hot = await stage.wallet('bitcoin', 'hot')
  const change = await stage.wallet('bitcoin', 'change')
  return {
    books: row?.books ?? 0n,
    chain: (await adapter.balance(hot.address, 'btc')) + (await adapter.balance(change.address, 'btc')),
  }
}
async function expectBooksToMatch(): Promise<void> {
  const { books, chain } = await onChain()
  expect(books).toBe(chain)
  expect(await stage.balance('bitcoin', 'btc', 'reserved', '')).toBe(0n)
  expect(await openReservations()).toBe(0)
}
/** Returns what the signer was last asked to sign. */
function lastPsbt(): Psbt {
  const payload = stage.signer.claimed.at(-1)?.payload
  if (payload?.family !== 'utxo') throw new Error('nothing was claimed')
  return Psbt.fromBase64(payload.psbt)
}
/** Returns a fresh P2WPKH destination that no one else pays. */
const destination = async () => faucetKey(randomBytes(32))

test('pays BTC with change, and keeps books exact to the satoshi', async () => {
  stage.signer.run()
  const own = await stage.balance('bitcoin', 'btc', 'available', '')
  const id = await ask({ amount: '0.25', priority: 'high' })
  await stage.approve(id)
  await stage.until(id, 'confirmed')
  await stage.ended(id, 'btc')
  const view = await stage.read(id)
  const unsigned = lastPsbt()
  const paid = unsigned.txOutputs.map((output) => BigInt(output.value))
  expect(paid).toContain(parseAmount('0.25', 8))
  const fee = BigInt(unsigned.inputCount) * BTC - paid.reduce((sum, value) => sum + value, 0n)
  expect(parseAmount(view.fee, 8)).toBe(fee)
  expect(view.from_address).toBe((await stage.wallet('bitcoin', 'hot')).address)
  expect(view.block_number).toBeGreaterThan(0)
  expect(await stage.balance('bitcoin', 'btc', 'available', '')).toBe(own + parseAmount('0.25', 8) + fee)
  await expectBooksToMatch()
})

test('takes the fee from what the recipient gets, when the recipient pays it', async () => {
  stage.signer.run()
  const own = await stage.balance('bitcoin', 'btc', 'available', '')
  const id = await ask({ amount: '0.2', fee_payer: 'recipient' })
  await stage.approve(id)
  const view = await stage.until(id, 'confirmed')
  const unsigned = lastPsbt()
  expect(BigInt(unsigned.txOutputs[0]?.value ?? 0)).toBe(parseAmount('0.2', 8) - parseAmount(view.fee, 8))
  expect(await stage.balance('bitcoin', 'btc', 'available', '')).toBe(own + parseAmount('0.2', 8))
  await expectBooksToMatch()
})

test('releases the outputs of what is refused, cancelled or answered with another transaction', async () => {
  const refused = await ask()
  await stage.approve(refused)
  await stage.until(refused, 'pending_signature')
  expect(await openReservations()).toBeGreaterThan(0)
  const [first] = (await stage.signer.claim(5)).requests
  await stage.signer.answer({
    request_id: first?.id ?? '',
    outcome: 'refused',
    code: 'CHANGE_NOT_MINE',
    message: 'branch 1',
  })
  expect((await stage.until(refused, 'failed')).failure?.code).toBe('CHANGE_NOT_MINE')

  const cancelled = await ask()
  await stage.approve(cancelled)
  await stage.until(cancelled, 'pending_signature')
  await stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${cancelled}` })

  const other = await ask()
  await stage.approve(other)
  await stage.until(other, 'pending_signature')
  const [second] = (await stage.signer.claim(5)).requests
  if (second?.payload.family !== 'utxo') throw new Error('claimed')
  const changed = Psbt.fromBase64(second.payload.psbt)
  // The same inputs, but the recipient gets a satoshi less and the miner one more.
  const amount = Buffer.alloc(8)
  amount.writeBigUInt64LE(parseAmount('0.1', 8))
  const bytes = Buffer.from(changed.toBuffer())
  const at = bytes.indexOf(amount)
  expect(at).toBeGreaterThan(0)
  bytes.writeBigUInt64LE(parseAmount('0.1', 8) - 1n, at)
  const signed = await stage.signer.sign({ ...second.payload, psbt: bytes.toString('base64') })
  await stage.signer.answer({ ...signed, request_id: second.id })
  const failed = await stage.until(other, 'failed')
  expect(failed).toMatchObject({ failure: { code: 'SIGNED_TRANSACTION_MISMATCH' }, transaction_hash: null })
  expect((await adapter.outcome((signed as { transaction_hash: string }).transaction_hash)).kind).toBe(
    'unknown',
  )
  await expectBooksToMatch()
})

test('hands out a request whose lease ran out again with the same payload', async () => {
  const id = await ask()
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  const [first] = (await stage.signer.claim(5)).requests
  expect((await stage.signer.claim()).requests).toEqual([])
  await stage.api.database
    .sql`UPDATE signing_requests SET lease_until = now() - interval '1 second' WHERE id = ${first?.id ?? ''}`
  const [again] = (await stage.signer.claim()).requests
  expect(again).toEqual({ ...first, lease_until: again?.lease_until })
  if (!again) throw new Error('claimed')
  const answer = { ...(await stage.signer.sign(again.payload)), request_id: again.id }
  expect((await stage.signer.answer(answer)).json.data.replayed).toBe(false)
  expect((await stage.signer.answer(answer)).json.data.replayed).toBe(true)
  const otherwise = await stage.signer.answer({
    request_id: again.id,
    outcome: 'refused',
    code: 'PAUSED',
    message: 'changed its mind',
  })
  expect([otherwise.status, otherwise.json.error.code]).toEqual([409, 'INVALID_STATE'])
  await stage.until(id, 'confirmed')
  await expectBooksToMatch()
})

test('spends each output once with twenty concurrent payouts', async () => {
  stage.signer.run()
  const { address } = await destination()
  const before = await adapter.balance(address, 'btc')
  const ids = await Promise.all(Array.from({ length: 20 }, () => ask({ amount: '0.3', to_address: address })))
  await Promise.all(ids.map((id) => stage.approve(id)))
  for (const id of ids) await stage.until(id, 'confirmed', 120)
  const spent = await stage.api.database.sql<{ outpoint: string; txid: string }[]>`
    SELECT input ->> 'txid' || ':' || (input ->> 'vout') AS outpoint, attempt.txid
    FROM attempts attempt, jsonb_array_elements(attempt.inputs) AS input
    WHERE attempt.payout_id = ANY (${ids}) AND attempt.state = 'final'`
  expect(new Set(spent.map((row) => row.outpoint)).size).toBe(spent.length)
  expect(new Set(spent.map((row) => row.txid)).size).toBe(20)
  expect((await adapter.balance(address, 'btc')) - before).toBe(20n * parseAmount('0.3', 8))
  await expectBooksToMatch()
}, 240_000)
