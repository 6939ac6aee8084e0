/**
 * Replaces a UTXO payout that waits for a block by an attempt at a higher fee (BIP-125), on a real chain, and
 * never pays twice.
 */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Psbt } from 'bitcoinjs-lib'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../chains/adapter.js'
import { parseAmount } from '../../domain/money.js'
import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import { faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { type BitcoinRail, openBitcoin } from '../stage/open-bitcoin.js'
import { speedUp, untilAttempts, untilBroadcast } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'

let rail: BitcoinRail
let stage: Stage
let adapter: UtxoAdapter

beforeAll(async () => {
  rail = await openBitcoin({ outputs: 8 })
  ;({ stage, adapter } = rail)
})
afterEach(async () => {
  await rail.mining(true)
  await stage.signer.stop()
})
afterAll(() => rail?.close())

async function inMempool(fields: Record<string, unknown> = {}): Promise<string> {
  await rail.mining(false)
  return untilBroadcast(stage, {
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.1',
    to_address: rail.bitcoin.faucet.address,
    ...fields,
  })
}

/** Returns what the signer was last asked to sign, oldest first. */
function psbts(count: number): Psbt[] {
  return stage.signer.claimed.slice(-count).map(({ payload }) => {
    if (payload.family !== 'utxo') throw new Error('no PSBT')
    return Psbt.fromBase64(payload.psbt)
  })
}
const outpointsOf = (psbt: Psbt) =>
  psbt.txInputs.map((input) => `${Buffer.from(input.hash).reverse().toString('hex')}:${input.index}`)

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
  expect(await sql`SELECT 1 FROM utxo_reservations WHERE released_at IS NULL`).toHaveLength(0)
}

test('speeds up with the same inputs and recipients at the cost of the change, and pays once', async () => {
  stage.signer.run(realSigner(stage))
  const { address } = faucetKey(randomBytes(32))
  const before = await adapter.balance(address, 'btc')
  const id = await inMempool({ to_address: address })
  expect((await speedUp(stage, id)).status).toBe(200)
  const [second, first] = await untilAttempts(stage, id, 2)
  const [old, higher] = psbts(2) as [Psbt, Psbt]
  expect(outpointsOf(higher)).toEqual(outpointsOf(old))
  expect(higher.txOutputs[0]).toEqual(old.txOutputs[0])
  expect(higher.txOutputs[1]?.value).toBeLessThan(old.txOutputs[1]?.value ?? 0n)
  const raise = parseAmount(second?.max_fee ?? '', 8) - parseAmount(first?.max_fee ?? '', 8)
  expect(raise).toBeGreaterThanOrEqual(141n)
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.transaction_hash).toBe(second?.transaction_hash)
  expect([view.fee, view.attempts.map(({ state }) => state)]).toEqual([
    second?.max_fee,
    ['final', 'replaced'],
  ])
  expect((await adapter.balance(address, 'btc')) - before).toBe(parseAmount('0.1', 8))
  await expectBooksToMatch()
})

test('adds confirmed outputs and keeps all earlier inputs when the change is too small', async () => {
  stage.signer.run(realSigner(stage))
  // The amount leaves just enough for the first fee.
  const id = await inMempool({ amount: '0.9999894' })
  expect(psbts(1)[0]?.inputCount).toBe(1)
  const { status, json } = await speedUp(stage, id, { priority: 'urgent' })
  expect(status, JSON.stringify(json)).toBe(200)
  await untilAttempts(stage, id, 2)
  const [old, higher] = psbts(2) as [Psbt, Psbt]
  expect(higher.inputCount).toBeGreaterThan(1)
  expect(outpointsOf(higher)).toEqual(expect.arrayContaining(outpointsOf(old)))
  expect(higher.txOutputs[0]?.value).toBe(parseAmount('0.9999894', 8))
  await rail.mining(true)
  await stage.until(id, 'confirmed')
  await expectBooksToMatch()
})

test('pays a recipient who bears the fee less by what the replacement costs more', async () => {
  stage.signer.run(realSigner(stage))
  const id = await inMempool({ fee_payer: 'recipient' })
  await speedUp(stage, id)
  await untilAttempts(stage, id, 2)
  const paid = psbts(2).map((psbt) => BigInt(psbt.txOutputs[0]?.value ?? 0))
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(paid[1]).toBe(parseAmount('0.1', 8) - parseAmount(view.fee, 8))
  expect(paid[1]).toBeLessThan(paid[0] ?? 0n)
  await expectBooksToMatch()
})

test('refuses a speed-up above the fee limit, with the limit and the required fee', async () => {
  stage.signer.run(realSigner(stage))
  const id = await inMempool()
  const tight = await speedUp(stage, id, { max_fee: '0.00000100' })
  expect([tight.status, tight.json.error.code]).toEqual([422, 'FEE_LIMIT_EXCEEDED'])
  expect(tight.json.error.details.limit).toBe('0.000001')
  expect(parseAmount(tight.json.error.details.required, 8)).toBeGreaterThan(100n)
  await rail.mining(true)
  await stage.until(id, 'confirmed')
  await expectBooksToMatch()
})

test('cancels with a transaction that takes the payout’s place and brings all of its inputs back', async () => {
  stage.signer.run(realSigner(stage))
  const own = await stage.balance('bitcoin', 'btc', 'available', '')
  const { address } = faucetKey(randomBytes(32))
  const before = await adapter.balance(address, 'btc')
  const id = await inMempool({ to_address: address, amount: '0.3' })
  await speedUp(stage, id)
  await untilAttempts(stage, id, 2)
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${id}/cancel-transaction`,
    key: stage.people[1].key,
    body: { reason: 'wrong recipient' },
  })
  expect(status, JSON.stringify(json)).toBe(200)
  const [third, second] = await untilAttempts(stage, id, 3)
  const [first, , nothing] = psbts(3) as [Psbt, Psbt, Psbt]
  expect(outpointsOf(nothing)).toEqual(outpointsOf(first))
  expect(nothing.txOutputs).toHaveLength(1)
  expect(parseAmount(third?.max_fee ?? '', 8)).toBeGreaterThan(parseAmount(second?.max_fee ?? '', 8))
  await rail.mining(true)
  const view = await stage.until(id, 'cancelled')
  expect(view.transaction_hash).toBe(third?.transaction_hash)
  expect(view.attempts.map(({ state }) => state)).toEqual(['final', 'replaced', 'replaced'])
  expect(await adapter.balance(address, 'btc')).toBe(before)
  expect(await stage.balance('bitcoin', 'btc', 'available', '')).toBe(own + parseAmount(view.fee, 8))
  await expectBooksToMatch()
})

test('keeps the added coins of an unanswered replacement, and builds a cancellation beside it on an operator’s order', async () => {
  const { sql } = stage.api.database
  const sign = realSigner(stage)
  const kept: SigningRequest[] = []
  stage.signer.run(async (request) => {
    if (request.attempt !== 2) return sign(request)
    kept.push(request)
    return 'silent'
  })
  const { address } = faucetKey(randomBytes(32))
  const id = await inMempool({ to_address: address, amount: '0.9999894' })
  const added = async () =>
    sql`
      SELECT FROM utxo_reservations reservation JOIN attempts attempt ON attempt.id = reservation.transaction_id
      WHERE attempt.payout_id = ${id} AND attempt.number = 2 AND reservation.released_at IS NULL`
  const act = (verb: string, body: Record<string, unknown> = { reason: 'the signer hangs on it' }) =>
    stage.api.call({
      method: 'POST',
      path: `/api/v1/withdrawals/${id}/${verb}`,
      key: stage.people[1].key,
      body,
    })
  expect((await speedUp(stage, id, { priority: 'urgent' })).status).toBe(200)
  for (let look = 0; kept.length === 0; look++) {
    if (look > 400) throw new Error('No second attempt was claimed')
    await sleep(50)
  }
  expect((await act('cancel-transaction')).status).toBe(200)
  expect((await act('mark-for-investigation')).status).toBe(200)
  const [third] = await untilAttempts(stage, id, 3)
  expect(third?.purpose).toBe('cancel')
  expect((await added()).length).toBeGreaterThan(0)
  // The late answer is followed, and not sent beside the cancellation.
  const [unanswered] = kept
  if (!unanswered) throw new Error('kept')
  await stage.signer.answer({ ...(await sign(unanswered)), request_id: unanswered.id } as never)
  for (let look = 0; (await stage.read(id)).attempts[1]?.state !== 'signed'; look++) {
    if (look > 400) throw new Error(JSON.stringify(await stage.read(id)))
    await sleep(50)
  }
  await rail.mining(true)
  const view = await stage.until(id, 'cancelled')
  expect(view.attempts.map(({ state }) => state)).toEqual(['final', 'replaced', 'replaced'])
  expect(await added()).toHaveLength(0)
  expect(await adapter.balance(address, 'btc')).toBe(0n)
  await expectBooksToMatch()
})
