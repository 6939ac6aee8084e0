/**
 * Replaces an EVM payout that waits for a block by an attempt at a higher fee, on a real chain, and never
 * pays twice.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { passFurther } from '../../db/payouts/attempts/pass-further.js'
import type { EvmPayload, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import { speedUp, untilAttempts, untilBroadcast } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'

const USER = 'alice'
let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('200'), owners: [USER, ''] })
  stage = rail.stage
})
afterEach(async () => {
  await rail.mining(true)
  await stage.signer.stop()
})
afterAll(() => rail?.close())

let recipients = 0
const recipient = () =>
  `0x${(0x2000_0000_0000n + BigInt(++recipients)).toString(16).padStart(40, '2')}` as const

/** Creates an approved withdrawal whose transaction lies in the mempool, while no block is mined. */
async function inMempool(fields: Record<string, unknown> = {}): Promise<string> {
  await rail.mining(false)
  return untilBroadcast(stage, {
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    user_reference: USER,
    to_address: recipient(),
    ...fields,
  })
}

const payloads = () => stage.signer.claimed.map(({ payload }) => payload as EvmPayload)

async function expectBooksToMatch(): Promise<void> {
  const hot = await stage.wallet('ethereum', 'hot')
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await rail.reader.getBalance({ address: hot.address as `0x${string}` }),
  )
  expect(await stage.balance('ethereum', 'eth', 'reserved', USER)).toBe(0n)
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
}

test('speeds up with the same nonce and both prices an eighth higher, without a new approval, and pays once', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const id = await inMempool({ to_address: to })
  const { status, json } = await speedUp(stage, id)
  expect([status, json.data.speed_up.priority]).toEqual([200, 'high'])
  const [second, first] = await untilAttempts(stage, id, 2)
  expect([second?.cause, second?.priority, first?.cause]).toEqual(['speed_up', 'high', 'first'])
  expect((await stage.read(id)).transaction_hash).toBe(second?.transaction_hash)
  const [before, after] = payloads().slice(-2) as [EvmPayload, EvmPayload]
  expect(after).toMatchObject({ nonce: before.nonce, to: before.to, value: before.value, gas: before.gas })
  for (const price of ['max_fee_per_gas', 'max_priority_fee_per_gas'] as const) {
    expect(BigInt(after[price]) * 8n).toBeGreaterThanOrEqual(BigInt(before[price]) * 9n)
  }
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  await stage.ended(id, 'replaced')
  expect(view.transaction_hash).toBe(second?.transaction_hash)
  expect(view.attempts.map(({ state }) => state)).toEqual(['final', 'replaced'])
  expect(view.attempts[0]?.fee).toBe(view.fee)
  expect(view.approvals).toHaveLength(2)
  const { sql } = stage.api.database
  const [event] = await sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM events WHERE subject = ${id} AND type = 'withdrawal.transaction_replaced'`
  expect(event?.data).toMatchObject({
    id,
    status: 'confirming',
    transaction_hash: second?.transaction_hash,
    previous_transaction_hash: first?.transaction_hash,
  })
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('settles with the first attempt’s fee when that one is mined all the same', async () => {
  stage.signer.run()
  const id = await inMempool()
  const [first] = (await stage.read(id)).attempts
  // The node forgets the first attempt as soon as it accepts the second, so the test makes a block of the
  // first alone.
  await speedUp(stage, id, { priority: 'urgent' })
  const [second] = await untilAttempts(stage, id, 2)
  await rail.anvil.call('anvil_dropTransaction', second?.transaction_hash)
  const { sql } = stage.api.database
  const [row] = await sql<{ signed_transaction: `0x${string}` }[]>`
    SELECT signed_transaction FROM attempts WHERE txid = ${first?.transaction_hash ?? ''}`
  await rail.anvil.call('eth_sendRawTransaction', row?.signed_transaction)
  await rail.anvil.mine()
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.transaction_hash).toBe(first?.transaction_hash)
  expect(view.attempts.map(({ state }) => state)).toEqual(['replaced', 'final'])
  const receipt = await rail.reader.getTransactionReceipt({ hash: first?.transaction_hash as `0x${string}` })
  expect(parseEther(view.fee)).toBe(receipt.gasUsed * receipt.effectiveGasPrice)
  await expectBooksToMatch()
})

test('swaps the winner when a reorg mines the other attempt, and still pays once', async () => {
  stage.signer.run()
  const to = recipient()
  const id = await inMempool({ to_address: to })
  const [first] = (await stage.read(id)).attempts
  await speedUp(stage, id)
  const [second] = await untilAttempts(stage, id, 2)
  await rail.anvil.mine()
  for (let look = 0; ; look++) {
    const view = await stage.read(id)
    if (view.attempts[0]?.state === 'mined') break
    if (look > 400) throw new Error(JSON.stringify(view))
    await sleep(50)
  }
  const { sql } = stage.api.database
  const [row] = await sql<{ signed_transaction: `0x${string}` }[]>`
    SELECT signed_transaction FROM attempts WHERE txid = ${first?.transaction_hash ?? ''}`
  // The new block holds the first attempt.
  await rail.anvil.call('anvil_reorg', 1, [[row?.signed_transaction, 0]])
  await rail.anvil.call('anvil_dropTransaction', second?.transaction_hash)
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.transaction_hash).toBe(first?.transaction_hash)
  expect(view.attempts.map(({ state }) => state)).toEqual(['replaced', 'final'])
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('refuses a speed-up above the fee limit or max_fee, with the limit and the required fee', async () => {
  stage.signer.run()
  const id = await inMempool()
  const tight = await speedUp(stage, id, { max_fee: '0.000000000000000001' })
  expect([tight.status, tight.json.error.code]).toEqual([422, 'FEE_LIMIT_EXCEEDED'])
  expect(tight.json.error.details).toMatchObject({ limit: '0.000000000000000001', coin: 'eth' })
  expect(parseEther(tight.json.error.details.required)).toBeGreaterThan(1n)
  const { sql } = stage.api.database
  const [row] = await sql<{ fee_limit: bigint }[]>`SELECT fee_limit FROM payouts WHERE id = ${id}`
  await sql`
    UPDATE payouts SET fee_limit = (SELECT max_fee FROM attempts WHERE payout_id = ${id}) WHERE id = ${id}`
  const over = await speedUp(stage, id)
  expect([over.status, over.json.error.code]).toEqual([422, 'FEE_LIMIT_EXCEEDED'])
  expect((await stage.read(id)).speed_up).toBeNull()
  await sql`UPDATE payouts SET fee_limit = ${row?.fee_limit.toString() ?? ''} WHERE id = ${id}`
  await rail.mining(true)
  await stage.until(id, 'confirmed')
  const late = await speedUp(stage, id)
  expect([late.status, late.json.error.code]).toEqual([409, 'INVALID_STATE'])
  expect((await speedUp(stage, 'withdrawal_unknown')).status).toBe(404)
  await expectBooksToMatch()
})

test('keeps the first attempt when the signer refuses the replacement', async () => {
  const sign = realSigner(stage)
  let asked = 0
  stage.signer.run(async (request) =>
    ++asked === 1
      ? sign(request)
      : { outcome: 'refused', code: 'FEE_TOO_HIGH', message: 'too dear for this policy' },
  )
  const id = await inMempool()
  await speedUp(stage, id)
  for (let look = 0; (await stage.read(id)).attempts[0]?.state !== 'abandoned'; look++) {
    if (look > 400) throw new Error(JSON.stringify(await stage.read(id)))
    await sleep(50)
  }
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.attempts.map(({ state }) => state)).toEqual(['abandoned', 'final'])
  await expectBooksToMatch()
})

test('pays a recipient who bears the fee less by what the replacement may cost more', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const id = await inMempool({ to_address: to, fee_payer: 'recipient', amount: '2' })
  await speedUp(stage, id)
  await untilAttempts(stage, id, 2)
  const [before, after] = payloads().slice(-2) as [EvmPayload, EvmPayload]
  const cost = (payload: EvmPayload) => BigInt(payload.gas) * BigInt(payload.max_fee_per_gas)
  for (const each of [before, after]) expect(BigInt(each.value) + cost(each)).toBe(parseEther('2'))
  await rail.mining(true)
  await stage.until(id, 'confirmed')
  expect(await rail.reader.getBalance({ address: to })).toBe(BigInt(after.value))
  await expectBooksToMatch()
})

test('sends the same bytes again when the mempool has forgotten them', async () => {
  stage.signer.run()
  const id = await inMempool()
  const [first] = (await stage.read(id)).attempts
  await rail.anvil.call('anvil_dropTransaction', first?.transaction_hash)
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.attempts).toHaveLength(1)
  expect(view.transaction_hash).toBe(first?.transaction_hash)
  await expectBooksToMatch()
})

const cancel = (id: string, person = 1, reason = 'wrong recipient') =>
  stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${id}/cancel-transaction`,
    key: (stage.people[person] ?? stage.people[1]).key,
    body: { reason },
  })

test('cancels with a transaction that takes the payout’s place, at the merchant’s own cost', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const user = await stage.balance('ethereum', 'eth', 'available', USER)
  const own = await stage.balance('ethereum', 'eth', 'available', '')
  const id = await inMempool({ to_address: to })
  const before = await stage.balance('ethereum', 'eth', 'reserved', USER)
  const { status, json } = await cancel(id)
  expect(status, JSON.stringify(json)).toBe(200)
  expect(json.data.cancellation).toMatchObject({
    reason: 'wrong recipient',
    requested_by: `person:${stage.people[1].id}`,
  })
  const [second] = await untilAttempts(stage, id, 2)
  expect([second?.purpose, second?.cause]).toEqual(['cancel', 'cancel'])
  // Nothing is released while either may be mined.
  expect(await stage.balance('ethereum', 'eth', 'reserved', USER)).toBe(before)
  expect((await stage.read(id)).status).toBe('confirming')
  expect((await cancel(id)).json.error.code).toBe('ALREADY_DECIDED')
  expect((await speedUp(stage, id)).json.error.code).toBe('INVALID_STATE')
  const [pay, nothing] = payloads().slice(-2) as [EvmPayload, EvmPayload]
  expect(nothing).toMatchObject({
    nonce: pay.nonce,
    to: nothing.from,
    from: pay.from,
    value: '0',
    data: '0x',
  })
  await rail.mining(true)
  const view = await stage.until(id, 'cancelled')
  await stage.ended(id, 'cancelled-on-chain')
  expect(view).toMatchObject({ status: 'cancelled', failure: { code: 'CANCELLED' } })
  expect(view.transaction_hash).toBe(second?.transaction_hash)
  expect(view.attempts.map(({ state }) => state)).toEqual(['final', 'replaced'])
  expect(await rail.reader.getBalance({ address: to })).toBe(0n)
  expect(await stage.balance('ethereum', 'eth', 'available', USER)).toBe(user)
  expect(await stage.balance('ethereum', 'eth', 'available', '')).toBe(own + parseEther(view.fee))
  await expectBooksToMatch()
})

test('confirms a payout that is mined before its cancellation, and never pays it again', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const id = await inMempool({ to_address: to })
  const [first] = (await stage.read(id)).attempts
  await cancel(id)
  const [second] = await untilAttempts(stage, id, 2)
  const { sql } = stage.api.database
  const [row] = await sql<{ signed_transaction: `0x${string}` }[]>`
    SELECT signed_transaction FROM attempts WHERE txid = ${first?.transaction_hash ?? ''}`
  await rail.anvil.call('anvil_dropTransaction', second?.transaction_hash)
  await rail.anvil.call('eth_sendRawTransaction', row?.signed_transaction)
  await rail.anvil.mine()
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.transaction_hash).toBe(first?.transaction_hash)
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('lets only a person with the scope admin who did not request it cancel what was sent', async () => {
  stage.signer.run()
  const id = await inMempool()
  expect((await cancel(id, 0)).json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
  const machine = await stage.api.newKey({ scopes: ['admin'] })
  const body = { reason: 'a machine' }
  const path = `/api/v1/withdrawals/${id}/cancel-transaction`
  expect((await stage.api.call({ method: 'POST', path, body, key: machine })).json.error.code).toBe(
    'NOT_AN_APPROVER',
  )
  const plain = await stage.api.newKey({ scopes: ['withdrawals'], personId: stage.people[1].id })
  expect((await stage.api.call({ method: 'POST', path, body, key: plain })).json.error.code).toBe(
    'INSUFFICIENT_SCOPE',
  )
  await rail.mining(true)
  await stage.until(id, 'confirmed')
})

/** Returns a signer that answers everything but the second attempt, which it claims and keeps. */
function keepsSecond() {
  const sign = realSigner(stage)
  const kept: SigningRequest[] = []
  stage.signer.run(async (request) => {
    if (request.attempt !== 2) return sign(request)
    kept.push(request)
    return 'silent'
  })
  return {
    sign,
    async untilKept(): Promise<SigningRequest> {
      for (let look = 0; ; look++) {
        const [request] = kept
        if (request) return request
        if (look > 400) throw new Error('No second attempt was claimed')
        await sleep(50)
      }
    },
  }
}

const recover = (id: string, verb: 'mark-for-investigation' | 'clear-investigation') =>
  stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${id}/${verb}`,
    key: stage.people[1].key,
    body: { reason: 'the signer hangs on the second attempt' },
  })

test('lets an unanswered replacement delay a cancellation for a time only, and frees the nonces above it', async () => {
  const { sql } = stage.api.database
  const { sign, untilKept } = keepsSecond()
  const to = recipient()
  const id = await inMempool({ to_address: to })
  const above = await inMempool()
  const held = await stage.balance('ethereum', 'eth', 'reserved', USER)
  expect((await speedUp(stage, id)).status).toBe(200)
  const unanswered = await untilKept()
  expect((await speedUp(stage, id)).json.error.code).toBe('INVALID_STATE')
  expect((await cancel(id)).status).toBe(200)
  expect(await passFurther(sql, stage.networks, 600_000)).toEqual([])
  await sql`
    UPDATE signing_requests SET first_leased_at = first_leased_at - interval '10 minutes' WHERE id = ${unanswered.id}`
  expect(await passFurther(sql, stage.networks, 600_000)).toEqual([id])
  expect(await passFurther(sql, stage.networks, 600_000)).toEqual([])
  const [third, second] = await untilAttempts(stage, id, 3)
  expect([third?.purpose, second?.state]).toEqual(['cancel', 'built'])
  expect(await stage.balance('ethereum', 'eth', 'reserved', USER)).toBe(held)
  // The late answer is stored, but a payout that is being cancelled is not sent any more.
  await stage.signer.answer({ ...(await sign(unanswered)), request_id: unanswered.id } as never)
  for (let look = 0; (await stage.read(id)).attempts[1]?.state !== 'signed'; look++) {
    if (look > 400) throw new Error(JSON.stringify(await stage.read(id)))
    await sleep(50)
  }
  await rail.mining(true)
  const view = await stage.until(id, 'cancelled')
  expect(view.attempts.map(({ state }) => state)).toEqual(['final', 'replaced', 'replaced'])
  await stage.until(above, 'confirmed')
  expect(await rail.reader.getBalance({ address: to })).toBe(0n)
  expect(
    await sql`SELECT FROM events WHERE subject = ${id} AND data ->> 'detail' = 'signing_request.unanswered'`,
  ).toHaveLength(1)
  await expectBooksToMatch()
})

test('speeds up beside an unanswered replacement on an operator’s order, and settles with the latter when it is mined', async () => {
  const { sql } = stage.api.database
  const { sign, untilKept } = keepsSecond()
  const to = recipient()
  const id = await inMempool({ to_address: to })
  expect((await speedUp(stage, id)).status).toBe(200)
  const unanswered = await untilKept()
  expect((await speedUp(stage, id)).json.error.code).toBe('INVALID_STATE')
  expect((await recover(id, 'mark-for-investigation')).status).toBe(200)
  expect((await recover(id, 'clear-investigation')).status).toBe(200)
  expect((await speedUp(stage, id)).status).toBe(200)
  const [third, , first] = await untilAttempts(stage, id, 3)
  expect([third?.cause, third?.purpose]).toEqual(['speed_up', 'pay'])
  const answer = await sign(unanswered)
  if (answer.outcome !== 'signed') throw new Error(JSON.stringify(answer))
  await stage.signer.answer({ ...answer, request_id: unanswered.id } as never)
  for (let look = 0; (await stage.read(id)).attempts[1]?.state === 'built'; look++) {
    if (look > 400) throw new Error(JSON.stringify(await stage.read(id)))
    await sleep(50)
  }
  for (const each of [third, first]) await rail.anvil.call('anvil_dropTransaction', each?.transaction_hash)
  await rail.anvil.call('eth_sendRawTransaction', answer.signed_transaction)
  await rail.anvil.mine()
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.transaction_hash).toBe(answer.transaction_hash)
  expect(view.attempts.map(({ state }) => state)).toEqual(['replaced', 'final', 'replaced'])
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  expect(await sql`SELECT FROM nonces WHERE state NOT IN ('used')`).toHaveLength(0)
  await expectBooksToMatch()
})

test('keeps the hold until the answer of a mined replacement comes, with others built beside it', async () => {
  const { sql } = stage.api.database
  const { sign, untilKept } = keepsSecond()
  const to = recipient()
  const id = await inMempool({ to_address: to })
  const held = await stage.balance('ethereum', 'eth', 'reserved', USER)
  await speedUp(stage, id)
  const unanswered = await untilKept()
  expect((await recover(id, 'mark-for-investigation')).status).toBe(200)
  expect((await cancel(id)).status).toBe(200)
  const [third, , first] = await untilAttempts(stage, id, 3)
  expect(third?.purpose).toBe('cancel')
  // The signer’s operator sends what it signed without the platform.
  const answer = await sign(unanswered)
  if (answer.outcome !== 'signed') throw new Error(JSON.stringify(answer))
  for (const each of [third, first]) await rail.anvil.call('anvil_dropTransaction', each?.transaction_hash)
  await rail.anvil.call('eth_sendRawTransaction', answer.signed_transaction)
  await rail.anvil.mine()
  await rail.mining(true)
  await sleep(8_000)
  const looked = await stage.read(id)
  expect(looked.stage).toBe('confirming')
  expect(await stage.balance('ethereum', 'eth', 'reserved', USER)).toBe(held)
  await stage.signer.answer({ ...answer, request_id: unanswered.id } as never)
  const view = await stage.until(id, 'confirmed')
  expect(view.transaction_hash).toBe(answer.transaction_hash)
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  expect((await recover(id, 'clear-investigation')).status).toBe(200)
  expect(await sql`SELECT FROM foreign_spends`).toHaveLength(0)
  await expectBooksToMatch()
})
