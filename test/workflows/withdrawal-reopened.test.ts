/** Settled withdrawals whose block a reorg removes. */

import { setTimeout as sleep } from 'node:timers/promises'
import { createPublicClient, http, parseEther } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Withdrawal } from '../../wire/withdrawal.js'
import { openRail, type Rail } from '../stage/open-rail.js'
import { creditDeposits } from '../stage/rail-steps.js'
import type { Stage } from '../stage/start-stage.js'
import { testNetworks } from '../stage/test-networks.js'
import { type TestAnvil, testAnvil } from '../support/anvil.js'
import { type TestBitcoin, testBtcd } from '../support/btcd.js'

let rail: Rail<Chains>
let anvil: TestAnvil
let bitcoin: TestBitcoin
let stage: Stage

interface Chains {
  readonly anvil: TestAnvil
  readonly bitcoin: TestBitcoin
  stop(): Promise<void>
}

async function startChains(): Promise<Chains> {
  const [anvil, bitcoin] = await Promise.all([testAnvil({ mining: 1 }), testBtcd()])
  const stop = async () => {
    await Promise.all([anvil.stop(), bitcoin.stop()])
  }
  return { anvil, bitcoin, stop }
}

beforeAll(async () => {
  rail = await openRail({
    start: startChains,
    networks: (chains) =>
      testNetworks({
        ETHEREUM_ENABLED: 'true',
        ETHEREUM_RPC: chains.anvil.rpc,
        BITCOIN_ENABLED: 'true',
        BITCOIN_RPC: chains.bitcoin.rpc,
      }),
  })
  ;({ anvil, bitcoin } = rail.node)
  stage = rail.stage
})
afterAll(() => rail?.close())

async function ask(body: Record<string, unknown>): Promise<string> {
  const { status, json } = await stage.create({ amount: '1', ...body })
  if (status !== 201) throw new Error(JSON.stringify(json))
  await stage.approve(json.data.id)
  return json.data.id
}
/** Counts how often it was confirmed. */
const confirmations = ({ history }: Withdrawal) =>
  history.filter((entry) => entry.stage === 'confirmed').length
const statusesOf = async (id: string) =>
  (
    await stage.api.database.sql<{ data: { previous_status: string; status: string } }[]>`
      SELECT data FROM events WHERE subject = ${id} AND type = 'withdrawal.status_changed' ORDER BY position`
  ).map(({ data }) => `${data.previous_status} > ${data.status}`)
const journalsOf = async (id: string) =>
  (
    await stage.api.database.sql<{ idempotency_key: string }[]>`
      SELECT idempotency_key FROM ledger_journals WHERE reference = ${id} ORDER BY id`
  ).map((row) => row.idempotency_key.slice(id.length))
const signedBytes = async (id: string) =>
  stage.api.database.sql`SELECT DISTINCT signed_transaction FROM attempts WHERE payout_id = ${id}`
const exceptions = async (id: string) =>
  stage.api.database.sql`
    SELECT FROM events WHERE subject = ${id} AND data ->> 'detail' = 'transaction.reverted_after_final'`

test('reverses, sends again and settles again an ETH withdrawal whose block a reorg removed', async () => {
  stage.signer.run()
  const hot = await stage.wallet('ethereum', 'hot')
  await anvil.call('anvil_setBalance', hot.address, `0x${parseEther('10').toString(16)}`)
  await stage.credit('ethereum', 'eth', '', parseEther('10'))
  const to = `0x${'12'.repeat(20)}` as const
  await sleep(1_500)
  const id = await ask({ network: 'ethereum', coin: 'eth', to_address: to })
  const first = await stage.untilView(id, (view) => view.stage === 'confirmed')
  const available = await stage.balance('ethereum', 'eth', 'available', '')
  await stage.signer.stop()

  const reader = createPublicClient({ transport: http(anvil.rpc) })
  const depth = Number(await reader.getBlockNumber({ cacheTime: 0 })) - (first.block_number ?? 0) + 1
  await anvil.call('anvil_reorg', depth, [])
  const taken = await stage.untilView(
    id,
    (view) => view.history.at(-1)?.cause.includes('left the chain') ?? false,
  )
  expect(taken).toMatchObject({ status: 'confirming', confirmed_at: null })
  const again = await stage.untilView(id, (view) => confirmations(view) === 2)
  expect(again.transaction_hash).toBe(first.transaction_hash)
  expect(again.block_number).toBeGreaterThanOrEqual(first.block_number ?? 0)
  expect(await reader.getBalance({ address: to })).toBe(parseEther('1'))
  expect(await signedBytes(id)).toHaveLength(1)
  expect(await statusesOf(id)).toEqual([
    'null > pending',
    'pending > processing',
    'processing > broadcasting',
    'broadcasting > confirming',
    'confirming > confirmed',
    'confirmed > confirming',
    'confirming > confirmed',
  ])
  expect(await journalsOf(id)).toEqual([':hold', ':settle', ':settle:reverted', ':settle:1'])
  expect(await exceptions(id)).toHaveLength(1)
  // The fee may differ in another block; the books say what the chain says.
  const fee = parseEther(again.fee) - parseEther(first.fee)
  expect(await stage.balance('ethereum', 'eth', 'available', '')).toBe(available + fee)
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await reader.getBalance({ address: hot.address as `0x${string}` }),
  )
}, 120_000)

test('does the same with BTC', async () => {
  stage.signer.run()
  const hot = await stage.wallet('bitcoin', 'hot')
  const funding = await bitcoin.faucet.pay([{ address: hot.address, amount: 500_000_000n }])
  await bitcoin.mine(3)
  await creditDeposits(stage, funding)
  const id = await ask({ network: 'bitcoin', coin: 'btc', to_address: bitcoin.faucet.address })
  await stage.untilView(id, (view) => view.stage === 'confirming')
  await bitcoin.mine(1)
  const block = (await bitcoin.call('getbestblockhash')) as string
  await bitcoin.mine(1)
  const first = await stage.untilView(id, (view) => view.stage === 'confirmed')
  await stage.signer.stop()
  await bitcoin.call('invalidateblock', block)
  // Empty blocks, because the mempool’s own copy would be mined before the check.
  await bitcoin.mine(1)
  await bitcoin.mine(3)
  const again = await stage.untilView(id, (view) => confirmations(view) === 2)
  expect(again.transaction_hash).toBe(first.transaction_hash)
  expect(again.block_number).toBeGreaterThan(0)
  expect(await journalsOf(id)).toEqual([':hold', ':settle', ':settle:reverted', ':settle:1'])
  expect(await signedBytes(id)).toHaveLength(1)
  expect(await stage.balance('bitcoin', 'btc', 'reserved', '')).toBe(0n)
  const adapter = stage.adapters.get('bitcoin')
  const change = await stage.wallet('bitcoin', 'change')
  const chain =
    ((await adapter?.balance(hot.address, 'btc')) ?? 0n) +
    ((await adapter?.balance(change.address, 'btc')) ?? 0n)
  const [books] = await stage.api.database.sql<{ sum: bigint }[]>`
    SELECT sum(balance)::numeric AS sum FROM ledger_accounts WHERE kind = 'chain' AND network = 'bitcoin'`
  expect(books?.sum).toBe(chain)
}, 120_000)
