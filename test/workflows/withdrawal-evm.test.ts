/** Withdrawals on an EVM chain, from the request to exact books, with every failure on the way. */

import { setTimeout as sleep } from 'node:timers/promises'
import { keccak256, parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { BroadcastOutcome, EvmAdapter } from '../../chains/adapter.js'
import { KeyturnError } from '../../domain/errors.js'
import type { EvmPayload, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { evmClients, USDT_ABI } from '../../local/parts/usdt.js'
import { withdrawalId } from '../../temporal/ids.js'
import { type EthereumRail, openEthereum, replacing } from '../stage/open-ethereum.js'
import type { Stage } from '../stage/start-stage.js'

const USER = 'alice'
let rail: EthereumRail
let stage: Stage
/** Methods of the adapter that are replaced at the moment. */
let fault: Partial<EvmAdapter> = {}

beforeAll(async () => {
  rail = await openEthereum({
    wei: parseEther('200'),
    usdt: 1_000_000_000n,
    owners: [USER, ''],
    wrap: replacing(() => fault),
  })
  stage = rail.stage
})
afterEach(async () => {
  fault = {}
  await stage.signer.stop()
})
afterAll(() => rail?.close())

let recipients = 0
/** Returns a fresh address for each payout. */
const recipient = () =>
  `0x${(0x1000_0000_0000n + BigInt(++recipients)).toString(16).padStart(40, '1')}` as const
const ask = (fields: Record<string, unknown> = {}) =>
  stage.request({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: recipient(),
    user_reference: USER,
    ...fields,
  })
const held = async () => [
  await stage.balance('ethereum', 'eth', 'reserved', USER),
  await stage.balance('ethereum', 'usdt', 'reserved', USER),
  await stage.balance('ethereum', 'eth', 'reserved', ''),
]
/** Expects that the books say about the wallet what the chain says. */
async function expectBooksToMatch(): Promise<void> {
  const hot = await stage.wallet('ethereum', 'hot')
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await rail.reader.getBalance({ address: hot.address as `0x${string}` }),
  )
  expect(await stage.balance('ethereum', 'usdt', 'chain', hot.id)).toBe(
    await rail.usdt.balanceOf(hot.address as `0x${string}`),
  )
  expect(await held()).toEqual([0n, 0n, 0n])
}
const nonces = async () =>
  (
    await stage.api.database.sql<{ nonce: bigint; state: string }[]>`
      SELECT nonce, state FROM nonces WHERE network = 'ethereum' ORDER BY nonce`
  ).map(({ nonce, state }) => [Number(nonce), state])

test('pays ETH, sends every status once, and keeps books exact to the wei', async () => {
  stage.signer.run()
  const to = recipient()
  const id = await ask({ to_address: to, amount: '1.5', external_id: 'eth-happy' })
  await stage.until(id, 'pending_approval')
  await stage.approve(id)
  await stage.until(id, 'confirmed')
  expect(await stage.ended(id, 'confirmed')).toMatchObject({ stage: 'confirmed' })
  const view = await stage.read(id)
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1.5'))
  const receipt = await rail.reader.getTransactionReceipt({ hash: view.transaction_hash as `0x${string}` })
  expect(view).toMatchObject({
    status: 'confirmed',
    block_number: Number(receipt.blockNumber),
    from_address: (await stage.wallet('ethereum', 'hot')).address,
    waiting: null,
    failure: null,
  })
  const fee = receipt.gasUsed * receipt.effectiveGasPrice
  expect(parseEther(view.fee)).toBe(fee)
  expect(view.confirmations).toBeGreaterThanOrEqual(2)
  expect(view.confirmed_at).not.toBeNull()
  expect(view.history.map((entry) => entry.stage)).toEqual([
    'requested',
    'pending_approval',
    'approved',
    'building',
    'pending_signature',
    'signed',
    'broadcasting',
    'confirming',
    'confirmed',
  ])
  const events = await stage.api.database.sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM events WHERE subject = ${id} ORDER BY position`
  expect(events.map(({ data }) => [data.previous_status, data.status, data.transaction_hash])).toEqual([
    [null, 'pending', null],
    ['pending', 'processing', null],
    ['processing', 'broadcasting', view.transaction_hash],
    ['broadcasting', 'confirming', view.transaction_hash],
    ['confirming', 'confirmed', view.transaction_hash],
  ])
  expect(await stage.balance('ethereum', 'eth', 'available', USER)).toBe(
    -(parseEther('100') - parseEther('1.5') - fee),
  )
  await expectBooksToMatch()
  expect(await nonces()).toEqual([[0, 'used']])
})

test('pays USDT from the user’s tokens, and the fee from the merchant’s own coins', async () => {
  stage.signer.run()
  const to = recipient()
  const own = await stage.balance('ethereum', 'eth', 'available', '')
  const id = await ask({ to_address: to, coin: 'usdt', amount: '100.50', external_id: 'usdt-happy' })
  await stage.approve(id)
  const view = await stage.until(id, 'confirmed')
  expect(await rail.usdt.balanceOf(to)).toBe(100_500_000n)
  expect(view.fee_coin).toBe('eth')
  expect(await stage.balance('ethereum', 'usdt', 'available', USER)).toBe(-(500_000_000n - 100_500_000n))
  expect(await stage.balance('ethereum', 'eth', 'available', '')).toBe(own + parseEther(view.fee))
  await expectBooksToMatch()
})

test('takes the fee from what the recipient gets, when the recipient pays it', async () => {
  stage.signer.run()
  const to = recipient()
  const before = await stage.balance('ethereum', 'eth', 'available', USER)
  const id = await ask({ to_address: to, amount: '2', fee_payer: 'recipient' })
  await stage.approve(id)
  const view = await stage.until(id, 'confirmed')
  const got = await rail.reader.getBalance({ address: to })
  expect(got).toBeLessThan(parseEther('2'))
  expect((await stage.balance('ethereum', 'eth', 'available', USER)) - before).toBe(
    got + parseEther(view.fee),
  )
  await expectBooksToMatch()
})

test('ends at one rejection and releases everything', async () => {
  const id = await ask({ external_id: 'rejected' })
  const [, first, second] = stage.people
  await stage.decide(id, first)
  await stage.decide(id, second, 'reject', { reason: 'unknown recipient' })
  const view = await stage.until(id, 'rejected')
  expect(view).toMatchObject({
    status: 'failed',
    failure: { code: 'REJECTED', message: 'Rejected by an approver: unknown recipient' },
  })
  await stage.ended(id, 'rejected')
  await expectBooksToMatch()
})

test('ends the workflow of a cancelled withdrawal, and refuses to cancel one that a signer holds', async () => {
  const cancel = (id: string) => stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${id}` })
  const pending = await ask({ external_id: 'cancelled' })
  await stage.until(pending, 'pending_approval')
  expect((await cancel(pending)).status).toBe(200)
  expect(await stage.ended(pending, 'cancelled')).toMatchObject({ stage: 'cancelled' })

  const queued = await ask()
  await stage.approve(queued)
  await stage.until(queued, 'pending_signature')
  expect((await cancel(queued)).status).toBe(200)
  expect(await stage.ended(queued, 'cancelled-at-signer')).toMatchObject({ stage: 'cancelled' })
  expect((await stage.signer.claim()).requests).toEqual([])

  const leased = await ask()
  await stage.approve(leased)
  await stage.until(leased, 'pending_signature')
  const { requests } = await stage.signer.claim()
  expect((await cancel(leased)).json.error.code).toBe('WITHDRAWAL_NOT_CANCELLABLE')
  const [request] = requests
  if (!request) throw new Error('claimed')
  await stage.signer.answer({ ...(await stage.signer.sign(request.payload)), request_id: request.id })
  await stage.until(leased, 'confirmed')
  expect((await cancel(leased)).json.error.code).toBe('WITHDRAWAL_NOT_CANCELLABLE')
  await expectBooksToMatch()
})

test('shows the signer’s refusal, and allocates its nonce to the next payout', async () => {
  let used: number | undefined
  stage.signer.run(async (request) => {
    if (used !== undefined) return stage.signer.sign(request.payload)
    used = (request.payload as EvmPayload).nonce
    return { outcome: 'refused', code: 'POLICY_LIMIT', message: 'more than 1 ETH a day' }
  })
  const refused = await ask({ external_id: 'refused' })
  await stage.approve(refused)
  const view = await stage.until(refused, 'failed')
  expect(view.failure).toEqual({ code: 'POLICY_LIMIT', message: 'The signer refused: more than 1 ETH a day' })
  await stage.ended(refused, 'refused')
  const next = await ask()
  await stage.approve(next)
  await stage.until(next, 'confirmed')
  const last = stage.signer.claimed.at(-1) as SigningRequest
  expect((last.payload as EvmPayload).nonce).toBe(used)
  await expectBooksToMatch()
})

test('story 7: sends the same bytes again after a lost reply to the broadcast, and pays once', async () => {
  stage.signer.run()
  const real = stage.adapters.get('ethereum') as EvmAdapter
  const broadcast = real.broadcast.bind(real)
  const outcome = real.outcome.bind(real)
  const sent: string[] = []
  fault = {
    async broadcast(bytes): Promise<BroadcastOutcome> {
      sent.push(bytes)
      const said = await broadcast(bytes)
      return sent.length < 3 ? { kind: 'unknown', reason: 'socket hang up' } : said
    },
    outcome: async (txid) => (sent.length < 3 ? { kind: 'unknown' } : outcome(txid)),
  }
  const to = recipient()
  const id = await ask({ to_address: to })
  await stage.approve(id)
  await stage.until(id, 'broadcasting')
  await stage.until(id, 'confirmed')
  await stage.ended(id, 'lost-reply')
  expect(sent.length).toBeGreaterThanOrEqual(3)
  expect(new Set(sent).size).toBe(1)
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('books only the fee of a transfer that reverts on the chain', async () => {
  const { wallet } = evmClients(rail.anvil.rpc, rail.anvil.chainId, rail.anvil.faucetPrivateKey)
  const hot = (await stage.wallet('ethereum', 'hot')).address as `0x${string}`
  const blacklist = async (functionName: 'addBlackList' | 'removeBlackList') => {
    const hash = await wallet.writeContract({
      address: rail.usdt.address,
      abi: USDT_ABI,
      functionName,
      args: [hot],
    })
    await rail.reader.waitForTransactionReceipt({ hash, pollingInterval: 100 })
  }
  stage.signer.run(async (request) => {
    await blacklist('addBlackList')
    return stage.signer.sign(request.payload)
  })
  const tokens = await stage.balance('ethereum', 'usdt', 'available', USER)
  const own = await stage.balance('ethereum', 'eth', 'available', '')
  const id = await ask({ coin: 'usdt', amount: '10', external_id: 'reverted' })
  await stage.approve(id)
  const view = await stage.until(id, 'reverted')
  expect(view).toMatchObject({ status: 'failed', failure: { code: 'REVERTED_ON_CHAIN' } })
  expect(await stage.balance('ethereum', 'usdt', 'available', USER)).toBe(tokens)
  expect(await stage.balance('ethereum', 'eth', 'available', '')).toBe(own + parseEther(view.fee))
  await expectBooksToMatch()
  await stage.ended(id, 'reverted')

  // While the wallet is blacklisted, the next payout fails before anything is signed.
  const second = await ask({ coin: 'usdt', amount: '10' })
  await stage.approve(second)
  const failed = await stage.until(second, 'failed')
  expect(failed.failure?.code).toBe('WOULD_REVERT')
  await stage.ended(second, 'would-revert')
  await blacklist('removeBlackList')
  await expectBooksToMatch()
})

test('waits for funds in the wallets, says so, and continues when they are there', async () => {
  stage.signer.run()
  const hot = await stage.wallet('ethereum', 'hot')
  const balance = await rail.reader.getBalance({ address: hot.address as `0x${string}` })
  await rail.anvil.call('anvil_setBalance', hot.address, '0x1')
  const id = await ask()
  await stage.approve(id)
  while ((await stage.read(id)).waiting?.code !== 'INSUFFICIENT_WALLET_FUNDS') await sleep(50)
  await rail.anvil.call('anvil_setBalance', hot.address, `0x${balance.toString(16)}`)
  await stage.until(id, 'confirmed')
  await expectBooksToMatch()
})

test('story 2: keeps signed bytes while the node is down, says so, and continues afterwards', async () => {
  stage.signer.run()
  const down = () => Promise.reject(new KeyturnError('DEPENDENCY_UNAVAILABLE', 'all of 1 nodes are down'))
  fault = { build: down }
  const id = await ask()
  await stage.approve(id)
  while ((await stage.read(id)).waiting?.code !== 'NODE_UNAVAILABLE') await sleep(50)
  fault = { broadcast: down }
  await stage.until(id, 'broadcasting')
  while ((await stage.read(id)).waiting?.code !== 'NODE_UNAVAILABLE') await sleep(50)
  fault = { outcome: down }
  await stage.until(id, 'confirming')
  while ((await stage.read(id)).waiting?.code !== 'NODE_UNAVAILABLE') await sleep(50)
  fault = {}
  await stage.until(id, 'confirmed')
  await stage.ended(id, 'node-down')
  await expectBooksToMatch()
})

test('ignores decisions that were not signed, even as signals', async () => {
  const id = await ask()
  const view = await stage.until(id, 'pending_approval')
  const handle = rail.temporal.client.workflow.getHandle(withdrawalId(id))
  for (const person of stage.people) {
    await handle.signal('decide', {
      approver_id: person.approverId,
      person_id: person.id,
      decision: 'approve',
      intent_hash: view.intent_hash,
      signed_at: new Date().toISOString(),
      signature: '',
    })
  }
  await handle.signal('decide', null)
  await sleep(1_000)
  expect((await stage.read(id)).stage).toBe('pending_approval')
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  await stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${id}` })
  await expectBooksToMatch()
})

test('story 5: fails a payout whose nonce a stranger used only when that is final', async () => {
  const hot = await stage.wallet('ethereum', 'hot')
  stage.signer.run(async (request) => {
    const stranger = await stage.signer.sign({
      ...(request.payload as EvmPayload),
      to: hot.address,
      value: '0',
    })
    const signed = (stranger as { signed_transaction: `0x${string}` }).signed_transaction
    const hash = await rail.reader.sendRawTransaction({ serializedTransaction: signed })
    await rail.reader.waitForTransactionReceipt({ hash, pollingInterval: 100 })
    return stage.signer.sign(request.payload)
  })
  const id = await ask()
  await stage.approve(id)
  const view = await stage.until(id, 'failed')
  expect(view.failure?.code).toBe('NONCE_USED_ELSEWHERE')
  await stage.ended(id, 'nonce-lost')
  expect((await nonces()).at(-1)?.[1]).toBe('foreign')
  expect(await held()).toEqual([0n, 0n, 0n])
  await stage.signer.stop()
  // What the stranger paid for gas left the books with its block, and an event reported it.
  const onChain = await rail.reader.getBalance({ address: hot.address as `0x${string}` })
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(onChain)
  const raised = await stage.api.database.sql<{ data: { severity: string } }[]>`
    SELECT data FROM events WHERE type = 'exception.raised' AND data ->> 'kind' = 'foreign_spend'`
  expect(raised.map(({ data }) => data.severity)).toEqual(['critical'])
  stage.signer.run()
  const next = await ask()
  await stage.approve(next)
  await stage.until(next, 'confirmed')
  await expectBooksToMatch()
})

test('survives the death of its worker in every stage', async () => {
  const restart = async (worker: { stop(): Promise<void> }) => {
    await worker.stop()
    return stage.startWorker()
  }
  await stage.stopWorkers()
  const to = recipient()
  const id = await ask({ to_address: to, external_id: 'restarted' })
  let worker = await stage.startWorker()
  await stage.until(id, 'pending_approval')
  worker = await restart(worker)
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  worker = await restart(worker)
  const [request] = (await stage.signer.claim(10)).requests
  if (!request) throw new Error('claimed')
  worker = await restart(worker)
  const real = stage.adapters.get('ethereum') as EvmAdapter
  fault = {
    broadcast: async () => ({ kind: 'unknown', reason: 'gone' }),
    outcome: async () => ({ kind: 'unknown' }),
  }
  await stage.signer.answer({ ...(await stage.signer.sign(request.payload)), request_id: request.id })
  await stage.until(id, 'broadcasting')
  worker = await restart(worker)
  fault = {}
  await stage.until(id, 'confirming')
  worker = await restart(worker)
  await stage.until(id, 'confirmed')
  await stage.ended(id, 'restarted')
  expect(await real.balance(to, 'eth')).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('pays fifty payouts from one wallet with fifty nonces in a row', async () => {
  stage.signer.run()
  const first = (await nonces()).length
  const ids = await Promise.all(Array.from({ length: 50 }, () => ask({ amount: '0.1' })))
  await Promise.all(ids.map((id) => stage.approve(id)))
  for (const id of ids) await stage.until(id, 'confirmed', 120)
  const used = await stage.api.database.sql<{ nonce: bigint; payout_id: string }[]>`
    SELECT nonce, payout_id FROM attempts WHERE payout_id = ANY (${ids}) AND state = 'final' ORDER BY nonce`
  expect(new Set(used.map((row) => row.payout_id)).size).toBe(50)
  expect(used.map((row) => Number(row.nonce))).toEqual(
    Array.from({ length: 50 }, (_, index) => first + index),
  )
  const [most] = await stage.api.database.sql<{ requests: number }[]>`
    SELECT count(*)::int AS requests FROM signing_requests WHERE payout_id = ANY (${ids})`
  expect(most?.requests).toBe(50)
  await expectBooksToMatch()
}, 240_000)

// This test comes last: what was signed in vain leaves gaps in the nonces (`nonce-gaps.test.ts`).
test('never broadcasts garbage, or another transaction than the requested one', async () => {
  const answers: ((request: SigningRequest) => Promise<Record<string, unknown>>)[] = [
    // More to the same recipient.
    async ({ payload }) =>
      stage.signer.sign({ ...(payload as EvmPayload), value: parseEther('50').toString() }),
    async ({ payload }) => stage.signer.sign({ ...(payload as EvmPayload), to: recipient() }),
    async ({ payload }) => ({
      ...(await stage.signer.sign(payload)),
      transaction_hash: `0x${'0'.repeat(64)}`,
    }),
    async () => ({ outcome: 'signed', signed_transaction: '0x02c0', transaction_hash: keccak256('0x02c0') }),
  ]
  const before = await rail.reader.getTransactionCount({
    address: (await stage.wallet('ethereum', 'hot')).address as `0x${string}`,
  })
  const sent: string[] = []
  const real = stage.adapters.get('ethereum') as EvmAdapter
  const broadcast = real.broadcast.bind(real)
  fault = {
    broadcast: (bytes) => {
      sent.push(bytes)
      return broadcast(bytes)
    },
  }
  for (const answer of answers) {
    const id = await ask()
    await stage.approve(id)
    await stage.until(id, 'pending_signature')
    const [request] = (await stage.signer.claim(5)).requests
    if (!request) throw new Error('claimed')
    await stage.signer.answer({ ...(await answer(request)), request_id: request.id })
    const view = await stage.until(id, 'failed')
    expect(view.failure?.code).toBe('SIGNED_TRANSACTION_MISMATCH')
    expect(view.transaction_hash).toBeNull()
    await stage.ended(id, 'mismatch')
  }
  expect(sent).toEqual([])
  expect(
    await rail.reader.getTransactionCount({
      address: (await stage.wallet('ethereum', 'hot')).address as `0x${string}`,
    }),
  ).toBe(before)
  await expectBooksToMatch()
})
