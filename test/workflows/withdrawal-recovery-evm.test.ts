/** Retries, refunds and investigations of withdrawals on an EVM chain. */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { BroadcastOutcome, EvmAdapter } from '../../chains/adapter.js'
import type { EvmPayload } from '../../domain/signing/signer-protocol.js'
import { withdrawalId } from '../../temporal/ids.js'
import { type EthereumRail, openEthereum, replacing } from '../stage/open-ethereum.js'
import type { Stage } from '../stage/start-stage.js'

/**
 * A `receive` that stores what it got: some 22,000 gas more than a plain address takes (SELFBALANCE, PUSH1 0,
 * SSTORE).
 */
const STORING_CODE = '0x47600055'
let rail: EthereumRail
let stage: Stage
let fault: Partial<EvmAdapter> = {}

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('100'), wrap: replacing(() => fault) })
  stage = rail.stage
})
afterEach(async () => {
  fault = {}
  await stage.signer.stop()
})
afterAll(() => rail?.close())

let recipients = 0
const recipient = () => `0x${(0xabc0_0000 + ++recipients).toString(16).padStart(40, '3')}` as const
const ask = (to: string) => stage.request({ network: 'ethereum', coin: 'eth', amount: '1', to_address: to })
const post = (id: string, path: string, body: unknown, person = stage.people[0]) =>
  stage.api.call({ method: 'POST', path: `/api/v1/withdrawals/${id}/${path}`, body, key: person.key })
const lastPayload = () => stage.signer.claimed.at(-1)?.payload as EvmPayload
async function expectBooksToMatch(): Promise<void> {
  const hot = await stage.wallet('ethereum', 'hot')
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await rail.reader.getBalance({ address: hot.address as `0x${string}` }),
  )
}

test('releases the amount of a transfer that ran out of gas, and pays its retry once with the gas that is needed then', async () => {
  const to = recipient()
  stage.signer.run(async (request) => {
    // The gas was estimated for other code.
    await rail.anvil.call('anvil_setCode', to, STORING_CODE)
    return stage.signer.sign(request.payload)
  })
  const id = await ask(to)
  await stage.approve(id)
  expect((await stage.until(id, 'reverted')).failure?.code).toBe('REVERTED_ON_CHAIN')
  const before = lastPayload()
  const { status, json } = await post(id, 'retry', { priority: 'high' })
  expect([status, json.data.retry_of]).toEqual([201, id])
  await stage.until(json.data.id, 'pending_approval')
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'confirmed')
  expect(BigInt(lastPayload().gas)).toBeGreaterThan(BigInt(before.gas))
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('builds again with the right gas and nonce when both changed before the signer has it', async () => {
  const to = recipient()
  const id = await ask(to)
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  const hot = await stage.wallet('ethereum', 'hot')
  const address = hot.address as `0x${string}`
  const nonce = await rail.reader.getTransactionCount({ address })
  // A stranger signs with this key, outside the platform.
  const stranger = await stage.signer.sign({
    family: 'evm',
    network: 'ethereum',
    chain_id: 31_337,
    from: address,
    derivation_path: "m/44'/60'/2'/0/0",
    to: address,
    value: '0',
    data: '0x',
    nonce,
    gas: '21000',
    max_fee_per_gas: '20000000000',
    max_priority_fee_per_gas: '1000000000',
  })
  const raw = (stranger as { signed_transaction: `0x${string}` }).signed_transaction
  const hash = await rail.reader.sendRawTransaction({ serializedTransaction: raw })
  await rail.reader.waitForTransactionReceipt({ hash, pollingInterval: 100 })
  await rail.anvil.call('anvil_setCode', to, STORING_CODE)

  expect((await post(id, 'retry', { priority: 'urgent' })).status).toBe(200)
  await stage.untilView(id, (view) => view.stage === 'pending_signature')
  stage.signer.run()
  await stage.until(id, 'confirmed')
  expect(lastPayload().nonce).toBe(nonce + 1)
  expect(BigInt(lastPayload().gas)).toBeGreaterThan(40_000n)
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('sends the same bytes again to a node that finds them underpriced, until one accepts them', async () => {
  stage.signer.run()
  const real = stage.adapters.get('ethereum') as EvmAdapter
  const broadcast = real.broadcast.bind(real)
  const sent: string[] = []
  fault = {
    async broadcast(bytes): Promise<BroadcastOutcome> {
      sent.push(bytes)
      return sent.length < 3 ? { kind: 'rejected', reason: 'transaction underpriced' } : broadcast(bytes)
    },
  }
  const to = recipient()
  const id = await ask(to)
  await stage.approve(id)
  await stage.untilView(id, (view) => view.waiting?.message.includes('underpriced') ?? false)
  // Requested at once, instead of after the pause.
  expect((await post(id, 'retry', {})).status).toBe(200)
  await stage.until(id, 'confirmed')
  expect(new Set(sent).size).toBe(1)
  expect(await rail.reader.getBalance({ address: to })).toBe(parseEther('1'))
  await expectBooksToMatch()
})

test('stops an approved withdrawal under investigation, and pays it once it is cleared', async () => {
  stage.signer.run()
  const id = await ask(recipient())
  await post(id, 'mark-for-investigation', { reason: 'the customer denies it' })
  await stage.approve(id)
  await stage.untilView(id, (view) => view.waiting?.code === 'UNDER_INVESTIGATION')
  await sleep(2_500)
  expect((await stage.read(id)).transaction_hash).toBeNull()
  expect((await post(id, 'clear-investigation', { reason: 'it was him' }, stage.people[1])).status).toBe(200)
  await stage.until(id, 'confirmed')
  await expectBooksToMatch()
})

test('refuses a refund of what the signer has, and refunds what it does not have', async () => {
  const id = await ask(recipient())
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  const [request] = (await stage.signer.claim(10)).requests
  if (!request) throw new Error('claimed')
  const refused = await post(id, 'refund', { reason: 'takes too long' }, stage.people[1])
  expect([refused.status, refused.json.error.code]).toEqual([409, 'INVALID_STATE'])
  await stage.signer.answer({
    request_id: request.id,
    outcome: 'refused',
    code: 'POLICY_LIMIT',
    message: 'no',
  })
  await stage.until(id, 'failed')

  const queued = await ask(recipient())
  await stage.approve(queued)
  await stage.until(queued, 'pending_signature')
  const done = await post(queued, 'refund', { reason: 'takes too long' }, stage.people[1])
  expect([done.status, done.json.data.status]).toEqual([200, 'cancelled'])
  const handle = rail.temporal.client.workflow.getHandle(withdrawalId(queued))
  expect(await handle.result()).toMatchObject({ stage: 'cancelled' })
  expect((await stage.signer.claim()).requests).toEqual([])
  await expectBooksToMatch()
})
