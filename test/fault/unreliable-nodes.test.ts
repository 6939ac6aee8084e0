/**
 * Runs deposits and withdrawals of both families of chains through nodes that lag, forget, refuse and come
 * back at another height, with an honest node beside them and without one. Meanwhile the chains reorganise, a
 * contract pays another user when its transaction is mined again, and a hostile tenant attacks beside the
 * honest one. Afterwards books, chains and webhooks must agree to the last unit, and each deposit that was
 * reversed must have left the chain.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Client, createClient } from '../../client/create-client.js'
import type { Deposit, Withdrawal } from '../../client/types.js'
import { connect, type Sql } from '../../db/connect.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { misbehave } from '../support/unreliable-node/misbehave.js'
import { MISBEHAVIOURS, type Misbehaviour } from '../support/unreliable-node/start-unreliable-node.js'
import { findLedgerFaults, readCredits, readHoldings } from './audit-books.js'
import { findStatusesOutOfOrder, readReceived } from './audit-events.js'
import type { BitcoinWallet } from './bitcoin-wallet.js'
import { describeDeposit } from './describe-deposit.js'
import type { EthereumWallet } from './ethereum-wallet.js'
import { createHostileTenant, type HostileTenant } from './hostile-tenant.js'
import {
  createRailTraffic,
  type RailTraffic,
  type RequestedWithdrawal,
  type SentDeposit,
  USERS,
} from './rail-traffic.js'
import { blockHashAt, holdingOf, NETWORKS, type NetworkName, networksOf, nodeOf, RAILS } from './rails.js'
import { createRandom } from './random.js'
import { all, allEvents } from './read-all.js'
import { reorganise } from './reorganise.js'
import { type BitcoinScan, scanBitcoin } from './scan-bitcoin.js'
import { scanEthereum } from './scan-ethereum.js'
import { endStack } from './stack.js'
import { startUnreliableStack, type UnreliableStack } from './unreliable-stack.js'
import { findUnscanned } from './until-settled.js'
import { whatIsOpen } from './what-is-open.js'

const SEED = Number(process.env.KEYTURN_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** Limit for settling, which takes seconds on a quiet machine. */
const SETTLE_MS = 300_000
const CHECKS = 3
/** Limit for following an honest node again, which takes a second on a quiet machine. */
const SCAN_MS = 120_000
/** Time between two ways to misbehave, in milliseconds: longer where no other node is honest. */
const HONEST_MS = { beside: [200, 800], alone: [1_000, 2_500] } as const
const BEHIND: readonly Misbehaviour[] = ['lagging', 'short of blocks', 'restarting']
const REORG_AFTER_MS = [100, 1_200] as const
/** Depths of a reorganisation: fewer blocks than a deposit needs. */
const SHALLOW = [1, 2] as const

let stack: UnreliableStack
let facts: StackFile
let sql: Sql
let traffic: RailTraffic
let hostile: HostileTenant
let client: Client
let failed = false

let deposits: SentDeposit[]
let withdrawals: RequestedWithdrawal[]
let scheduleId: string
const scans = new Map<NetworkName, BitcoinScan>()
const turned = new Map<NetworkName, number>()

beforeAll(async () => {
  console.log(`KEYTURN_FAULT_SEED=${SEED}`)
  stack = await startUnreliableStack(SEED, {
    KEYTURN_LOCAL_NETWORKS: 'bitcoin,litecoin,polygon',
    KEYTURN_SWEEP_INTERVAL: '5s',
    KEYTURN_WEBHOOK_RETRY_INTERVAL: '15s',
    KEYTURN_REBROADCAST_INTERVAL: '3s',
    ETHEREUM_POLL_INTERVAL: '500ms',
    POLYGON_POLL_INTERVAL: '500ms',
    BITCOIN_POLL_INTERVAL: '500ms',
    LITECOIN_POLL_INTERVAL: '500ms',
  })
  facts = stack.facts()
  sql = connect(facts.postgres, { max: 4, name: 'keyturn-fault-test' })
  traffic = await createRailTraffic(facts, createRandom(SEED + 10))
  client = traffic.client
  hostile = await createHostileTenant(facts, stack.home, sql, {
    ethereum: traffic.wallets.ethereum as EthereumWallet,
    bitcoin: traffic.wallets.bitcoin as BitcoinWallet | undefined,
  })
}, 360_000)

afterEach(({ task }) => {
  failed ||= task.result?.state === 'fail'
})

afterAll(async () => {
  await traffic?.stop()
  await hostile?.close()
  await sql?.end({ timeout: 1 })
  await endStack(stack, failed, SEED)
}, 120_000)

test('settles everything although nodes lie, chains reorganise and a tenant is hostile', async () => {
  const began = Date.now()
  const elapsed = () => Math.round((Date.now() - began) / 1_000)
  const until = new AbortController()
  const wishes = new Map<NetworkName, Misbehaviour[]>(networksOf(facts).map((network) => [network, []]))
  const background = Promise.all([
    ...networksOf(facts).map((network, index) => {
      const random = createRandom(SEED + 20 + index)
      return misbehave(
        stack.nodes[network],
        random,
        {
          honestMs: NETWORKS[network].honestNode ? HONEST_MS.beside : HONEST_MS.alone,
          wishes: wishes.get(network) ?? [],
          meanwhile: (behaviour) => reorganiseBehind(network, behaviour, random),
          recovered: () => untilScanned(network),
        },
        until.signal,
      )
    }),
    hostile.attack(until.signal),
  ])
  const requested = Promise.all([
    traffic.deposit(),
    // A platform that does not find its transaction just when it is mined must not take it for lost.
    traffic.withdraw((network) => wishes.get(network)?.push('forgetful')),
    payByBlockTwice(),
    makeSchedule(),
  ])
  // A failure in the background ends the test at once.
  const [deposited, withdrawn, byBlock] = await Promise.race([requested, background.then(() => requested)])
  console.log(`All was requested after ${elapsed()} s; the nodes end their round, then they are honest`)
  until.abort()
  await background
  await hostile.giveUp()
  deposits = [...deposited, ...(await Promise.all(byBlock.map((each) => each.paid())))]
  withdrawals = withdrawn
  await untilNothingIsOpen()
  console.log(`All is settled after ${elapsed()} s`)
  for (const network of networksOf(facts)) {
    if (NETWORKS[network].family === 'utxo') scans.set(network, await scanBitcoin(nodeOf(facts, network)))
  }
}, 660_000)

/**
 * Replaces the newest blocks while the node does not know them, so that the real fork is not where the node
 * shows it.
 */
async function reorganiseBehind(
  network: NetworkName,
  behaviour: Misbehaviour,
  random: ReturnType<typeof createRandom>,
): Promise<void> {
  if (!BEHIND.includes(behaviour)) return
  await sleep(random.between(...REORG_AFTER_MS))
  await reorganise(facts, network, random.between(...SHALLOW))
  turned.set(network, (turned.get(network) ?? 0) + 1)
}

/**
 * Waits until a network without another node is scanned again. @throws Error when it does not get on while
 * its node is honest.
 */
async function untilScanned(network: NetworkName): Promise<void> {
  if (NETWORKS[network].honestNode) return
  const deadline = Date.now() + SCAN_MS
  for (;;) {
    const behind = (await findUnscanned(stack.facts(), sql)).filter((line) => line.startsWith(`${network}:`))
    if (behind.length === 0) return
    if (Date.now() > deadline) throw new Error(`Not scanned after ${SCAN_MS / 1_000} s: ${behind.join('; ')}`)
    await sleep(200)
  }
}

/**
 * Has the contract pay, waits for the credit, removes the block, and lets another block decide what the
 * contract pays.
 */
async function payByBlockTwice() {
  const each = await Promise.all([traffic.payByBlock(false), traffic.payByBlock(true)])
  const earlier = await Promise.all(each.map((one) => one.paid()))
  for (const { txid } of earlier) await untilCredited(txid)
  const depth = Math.max(...(await Promise.all(each.map((one) => one.depth()))))
  // The chain may grow between reading its height and reorganising it.
  await reorganise(facts, 'ethereum', depth + 2)
  console.log(
    `ethereum reorganised by ${depth + 2}, after ${earlier.map(({ user, amount }) => `${user} ${amount}`)}`,
  )
  // A third transfer is seen and not yet credited when its block is replaced.
  const later = await traffic.payByBlock(false)
  await later.paid()
  await reorganise(facts, 'ethereum', SHALLOW[1])
  return [...each, later]
}

async function untilCredited(txid: string): Promise<void> {
  for (;;) {
    const { items } = await client.deposits.list({ transaction_hash: txid })
    if (items.some(({ status }) => status === 'success')) return
    await sleep(300)
  }
}

/** Creates a schedule as if the API had died before it informed Temporal, so that the sweeper must. */
async function makeSchedule(): Promise<void> {
  await sleep(15_000)
  const made = await client.withdrawalSchedules.create({
    label: 'salary',
    interval_seconds: 86_400,
    paused: true,
    withdrawal: {
      network: 'ethereum',
      coin: 'eth',
      amount: '0.01',
      to_address: `0x${'33'.repeat(20)}`,
      user_reference: USERS[0],
    },
  })
  scheduleId = made.id
  await sql`UPDATE withdrawal_schedules SET synced_version = 0 WHERE id = ${made.id}`
}

async function untilNothingIsOpen(): Promise<void> {
  const deadline = Date.now() + SETTLE_MS
  for (let settled = 0; settled < CHECKS; await sleep(1_000)) {
    const open = await whatIsOpen(stack.facts(), sql).catch((error: unknown) => [String(error)])
    settled = open.length === 0 ? settled + 1 : 0
    if (Date.now() > deadline) throw new Error(`Not settled after ${SETTLE_MS / 1_000} s: ${open.join('; ')}`)
  }
}

test('saw nodes of both families misbehave in every way, and every chain reorganise meanwhile', () => {
  const networks = networksOf(facts)
  expect(networks.filter((network) => (turned.get(network) ?? 0) < BEHIND.length)).toEqual([])
  const lies = (of: readonly NetworkName[], each: Misbehaviour) =>
    of.reduce((sum, network) => sum + stack.nodes[network].lies()[each], 0)
  for (const family of ['evm', 'utxo']) {
    const nodes = networks.filter((network) => NETWORKS[network].family === family)
    for (const network of nodes) {
      console.log(network, MISBEHAVIOURS.map((each) => `${each}: ${lies([network], each)}`).join(', '))
    }
    // The platform does not always ask a node that forgets its mempool.
    const certain = MISBEHAVIOURS.filter((each) => each !== 'without mempool')
    if (nodes.length > 0) {
      expect([family, certain.filter((each) => lies(nodes, each) === 0)]).toEqual([family, []])
    }
  }
  expect(lies(networks, 'without mempool')).toBeGreaterThan(0)
})

test('credits every deposit exactly once, with what the chain pays in the end', async () => {
  const found = (await all<Deposit>((cursor) => client.deposits.list({ limit: 100, ...cursor }))).filter(
    ({ user_reference, status }) => user_reference !== null && status === 'success',
  )
  expect(found.map(describeDeposit).sort()).toEqual(
    deposits
      .map(({ user, rail, txid, address, amount }) =>
        describeDeposit({
          status: 'success',
          user_reference: user,
          coin: rail.coin,
          transaction_hash: txid,
          address: { address },
          amount: formatAmount(amount, rail.decimals),
        }),
      )
      .sort(),
  )
  const credits = await readCredits(sql)
  for (const { id, coin, amount } of found) {
    expect([id, credits.get(id)]).toEqual([id, parseAmount(amount, decimalsOf(coin))])
  }
  // The books hold nothing for a deposit whose transaction is in no block.
  const credited = new Set(found.map(({ id }) => id))
  const rest = await sql<{ id: string }[]>`
    SELECT id FROM deposits WHERE merchant_id = ${facts.merchant.id} AND user_reference IS NOT NULL AND status <> 'success'`
  expect(rest.filter(({ id }) => !credited.has(id) && (credits.get(id) ?? 0n) !== 0n)).toEqual([])
})

test('reverses no deposit that is still in the chain', async () => {
  const blocks = new Map<unknown, { readonly number: number; readonly hash: string }>()
  const wrong: string[] = []
  let reversed = 0
  for (const { event, data } of await allEvents(client)) {
    if (event !== 'deposit.status_changed') continue
    const view = data as unknown as Deposit
    const last = blocks.get(view.id)
    if (view.status === 'reverted' && last) {
      reversed += 1
      const now = await blockHashAt(facts, view.network as NetworkName, last.number)
      if (now === last.hash) wrong.push(`${view.id} on ${view.network} in block ${last.number}`)
    }
    if (view.block_number !== null && view.block_hash !== null && view.status !== 'reverted') {
      blocks.set(view.id, { number: view.block_number, hash: view.block_hash })
    }
  }
  expect(wrong).toEqual([])
  // The deposits that the contract had made before their block was replaced.
  expect(reversed).toBeGreaterThan(0)
})

test('pays every withdrawal on the chain exactly once, and gives none up', async () => {
  const found = await all<Withdrawal>((cursor) => client.withdrawals.list({ limit: 100, ...cursor }))
  expect(found.map(({ id, status }) => [id, status]).sort()).toEqual(
    withdrawals.map(({ id }) => [id, 'confirmed']).sort(),
  )
  const networks = networksOf(facts)
  const accounts = new Map(
    await Promise.all(
      networks
        .filter((network) => NETWORKS[network].family === 'evm')
        .map(async (network) => [network, await scanEthereum(nodeOf(facts, network))] as const),
    ),
  )
  for (const { id, rail, amount, recipient } of withdrawals) {
    const { network, coin } = rail
    const hash = found.find((each) => each.id === id)?.transaction_hash ?? ''
    const scan = scans.get(network)
    const received = scan ? scan.received(recipient) : await holdingOf(facts, network, coin, recipient, scan)
    const times = scan ? scan.times(hash) : accounts.get(network)?.filter((each) => each.hash === hash).length
    expect([id, received, times]).toEqual([id, amount, 1])
  }
  const statuses = (await allEvents(client)).flatMap(({ event, data }) =>
    event === 'withdrawal.status_changed' ? [data.status] : [],
  )
  expect(statuses.filter((status) => status === 'failed' || status === 'cancelled')).toEqual([])
})

test('keeps the books whole, and books for each address what it holds on the chain', async () => {
  expect(await findLedgerFaults(sql)).toEqual([])
  const holdings = await readHoldings(sql)
  const onChain = await Promise.all(
    holdings.map(({ network, coin, address }) =>
      holdingOf(facts, network as NetworkName, coin, address, scans.get(network as NetworkName)),
    ),
  )
  expect(holdings.map(({ address, coin, amount }) => `${address} ${amount} ${coin}`)).toEqual(
    holdings.map(({ address, coin }, index) => `${address} ${onChain[index]} ${coin}`),
  )
})

test('owes each user the deposits, less the withdrawals and their fees', async () => {
  const fees = new Map<string, bigint>()
  for (const { id, rail } of withdrawals) {
    const { fee, fee_coin } = await client.withdrawals.get(id)
    // A token's fee is the merchant's.
    fees.set(id, fee_coin === rail.coin ? parseAmount(fee, rail.decimals) : 0n)
  }
  for (const user of USERS) {
    const { items } = await client.balances.list({ user_reference: user })
    for (const { network, coin, decimals } of RAILS.filter((rail) =>
      networksOf(facts).includes(rail.network),
    )) {
      const mine = (each: SentDeposit | RequestedWithdrawal) => each.user === user && each.rail.coin === coin
      const expected =
        deposits.filter(mine).reduce((sum, { amount }) => sum + amount, 0n) -
        withdrawals.filter(mine).reduce((sum, { id, amount }) => sum + amount + (fees.get(id) ?? 0n), 0n)
      const { available, reserved, pending } =
        items.find((each) => each.coin === coin && each.network === network) ?? {}
      expect([user, coin, available, reserved, pending]).toEqual([
        user,
        coin,
        formatAmount(expected, decimals),
        '0',
        '0',
      ])
    }
  }
})

test('delivers every event to the honest tenant without a gap, each change of status after the one before', async () => {
  const events = await allEvents(client)
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1))
  expect(findStatusesOutOfOrder(events)).toEqual([])
  const { unverified, bodies } = await readReceived(facts)
  expect(unverified).toEqual([])
  const stored = await sql<{ id: string; body: Buffer }[]>`
    SELECT id, body FROM events WHERE merchant_id = ${facts.merchant.id} ORDER BY sequence`
  expect(events.map(({ id }) => [id, bodies.get(id) ?? []])).toEqual(
    stored.map(({ id, body }) => [id, [body.toString('utf8')]]),
  )
  expect(bodies.size).toBe(events.length)
})

test('keeps audit logs of both tenants that verify, and informs Temporal of the honest schedule', async () => {
  const { api, merchant, other_merchant } = facts
  for (const { api_key: apiKey, api_secret: apiSecret } of [merchant, other_merchant]) {
    const verified = await createClient({ baseUrl: api, apiKey, apiSecret }).auditLog.verify()
    expect(verified.valid).toBe(true)
  }
  const [row] = await sql<{ synced: boolean }[]>`
    SELECT synced_version = version AS synced FROM withdrawal_schedules WHERE id = ${scheduleId}`
  expect(row).toEqual({ synced: true })
})

test('answers no request of the hostile tenant with a fault of the platform, and keeps every process', () => {
  expect(stack.facts().pids).toEqual(facts.pids)
  expect(hostile.answers.length).toBeGreaterThan(150)
  const ours = hostile.answers.filter(({ status, shaped }) => status >= 500 || !shaped)
  expect([...new Set(ours.map(({ what, status, code }) => `${what}: ${status} ${code}`))]).toEqual([])
  const replayed = hostile.answers.filter(({ what }) => what.startsWith('replayed'))
  expect(replayed.some(({ code }) => code === 'NONCE_REUSED')).toBe(true)
  expect(replayed.filter(({ status }) => status < 300).length).toBeLessThanOrEqual(replayed.length / 30)
  const strangers = hostile.answers.filter(({ what }) => what === 'an unknown key')
  expect(strangers.some(({ status }) => status === 401)).toBe(true)
  // The API cuts the connection of a body that it refuses, which is status 0 here.
  expect(strangers.filter(({ status }) => ![0, 401, 429].includes(status))).toEqual([])
})

function decimalsOf(coin: string): number {
  return RAILS.find((rail) => rail.coin === coin)?.decimals ?? 0
}
