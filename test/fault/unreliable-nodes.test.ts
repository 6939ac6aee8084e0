/**
 * Deposits and withdrawals on both families of chains go through nodes that lag, forget, refuse and come back at another height,
 * with an honest node beside them and without one; the chains are reorganised meanwhile, and a contract pays another user when
 * its transaction is mined again. A hostile tenant does its worst beside the honest one. Afterwards books, chains and webhooks
 * must agree to the last unit, and each deposit that was reversed must have left the chain.
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
import type { EthereumWallet } from './ethereum-wallet.js'
import { createHostileTenant, type HostileTenant } from './hostile-tenant.js'
import { createPayments, type PaidIn, type PaidOut, type Payments, USERS } from './payments.js'
import { blockHashAt, holdingOf, NETWORKS, type NetworkName, networksOf, nodeOf, RAILS } from './rails.js'
import { createRandom } from './random.js'
import { all, allEvents } from './read-all.js'
import { reorganise } from './reorganise.js'
import { type BitcoinScan, scanBitcoin } from './scan-bitcoin.js'
import { scanEthereum } from './scan-ethereum.js'
import { startUnreliableStack, type UnreliableStack } from './unreliable-stack.js'
import { findUnscanned } from './until-settled.js'
import { whatIsOpen } from './what-is-open.js'

const SEED = Number(process.env.KEYTURN_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** It takes seconds where a machine is quiet. */
const SETTLE_MS = 300_000
const LOOKS = 3
/** As long as an honest node may take to be followed again; it takes a second where a machine is quiet. */
const SCAN_MS = 120_000
/** Between two ways to misbehave: long where no other node tells the truth. */
const HONEST_MS = { beside: [200, 800], alone: [1_000, 2_500] } as const
const BEHIND: readonly Misbehaviour[] = ['lagging', 'short of blocks', 'restarting']
const REORG_AFTER_MS = [100, 1_200] as const
/** Fewer blocks than a deposit is confirmed by. */
const SHALLOW = [1, 2] as const

let stack: UnreliableStack
let facts: StackFile
let sql: Sql
let payments: Payments
let hostile: HostileTenant
let client: Client
let failed = false

let paidIn: PaidIn[]
let paidOut: PaidOut[]
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
  payments = await createPayments(facts, createRandom(SEED + 10))
  client = payments.client
  hostile = await createHostileTenant(facts, stack.home, sql, {
    ethereum: payments.wallets.ethereum as EthereumWallet,
    bitcoin: payments.wallets.bitcoin as BitcoinWallet | undefined,
  })
}, 360_000)

afterEach(({ task }) => {
  failed ||= task.result?.state === 'fail'
})

afterAll(async () => {
  await payments?.stop()
  await hostile?.close()
  await sql?.end({ timeout: 1 })
  await stack?.stop(failed)
  if (failed)
    console.log(`Seed ${SEED}; everything is in ${stack?.home}; the supervisor said:\n${stack?.output()}`)
}, 120_000)

test('everything is settled although nodes lied, chains turned and a tenant was hostile', async () => {
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
          meanwhile: (behaviour) => turn(network, behaviour, random),
          recovered: () => untilScanned(network),
        },
        until.signal,
      )
    }),
    hostile.attack(until.signal),
  ])
  const asked = Promise.all([
    payments.deposit(),
    // Who finds no transaction just when ours is mined must not take it for lost.
    payments.withdraw((network) => wishes.get(network)?.push('forgetful')),
    payByBlockTwice(),
    makeSchedule(),
  ])
  // What fails in the background is not waited for.
  const [deposited, withdrawn, byBlock] = await Promise.race([asked, background.then(() => asked)])
  console.log(`All was asked for after ${elapsed()} s; the nodes end their round, then they tell the truth`)
  until.abort()
  await background
  await hostile.giveUp()
  paidIn = [...deposited, ...(await Promise.all(byBlock.map((each) => each.paid())))]
  paidOut = withdrawn
  await untilNothingIsOpen()
  console.log(`All is settled after ${elapsed()} s`)
  for (const network of networksOf(facts)) {
    if (NETWORKS[network].family === 'utxo') scans.set(network, await scanBitcoin(nodeOf(facts, network)))
  }
}, 660_000)

/** While the node does not know the newest blocks, they are replaced by others: the real fork is not where it seems to be. */
async function turn(
  network: NetworkName,
  behaviour: Misbehaviour,
  random: ReturnType<typeof createRandom>,
): Promise<void> {
  if (!BEHIND.includes(behaviour)) return
  await sleep(random.between(...REORG_AFTER_MS))
  await reorganise(facts, network, random.between(...SHALLOW))
  turned.set(network, (turned.get(network) ?? 0) + 1)
}

/** A network with no other node gets on only while its node is honest; one that does not get on then is stuck. */
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

/** The transaction is mined, credited, leaves the chain, and pays what another block decides. */
async function payByBlockTwice() {
  const each = await Promise.all([payments.payByBlock(false), payments.payByBlock(true)])
  const before = await Promise.all(each.map((one) => one.paid()))
  for (const { txid } of before) await untilCredited(txid)
  const depth = Math.max(...(await Promise.all(each.map((one) => one.depth()))))
  // The chain may grow between the question and the act.
  await reorganise(facts, 'ethereum', depth + 2)
  console.log(
    `ethereum turned by ${depth + 2}, after ${before.map(({ user, amount }) => `${user} ${amount}`)}`,
  )
  // Once more, seen and not yet credited.
  const later = await payments.payByBlock(false)
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

/** A schedule of the honest tenant, of which Temporal was not informed yet, as if the API had died: the sweeper informs it. */
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
  for (let settled = 0; settled < LOOKS; await sleep(1_000)) {
    const open = await whatIsOpen(stack.facts(), sql).catch((error: unknown) => [String(error)])
    settled = open.length === 0 ? settled + 1 : 0
    if (Date.now() > deadline) throw new Error(`Not settled after ${SETTLE_MS / 1_000} s: ${open.join('; ')}`)
  }
}

test('nodes of both families misbehaved in every way, and every chain turned meanwhile', () => {
  const networks = networksOf(facts)
  expect(networks.filter((network) => (turned.get(network) ?? 0) < BEHIND.length)).toEqual([])
  const lies = (of: readonly NetworkName[], each: Misbehaviour) =>
    of.reduce((sum, network) => sum + stack.nodes[network].lies()[each], 0)
  for (const family of ['evm', 'utxo']) {
    const nodes = networks.filter((network) => NETWORKS[network].family === family)
    for (const network of nodes) {
      console.log(network, MISBEHAVIOURS.map((each) => `${each}: ${lies([network], each)}`).join(', '))
    }
    // A node that forgets what is in its mempool is not always asked for it.
    const certain = MISBEHAVIOURS.filter((each) => each !== 'without mempool')
    if (nodes.length > 0) {
      expect([family, certain.filter((each) => lies(nodes, each) === 0)]).toEqual([family, []])
    }
  }
  expect(lies(networks, 'without mempool')).toBeGreaterThan(0)
})

test('every deposit is credited exactly once, with what the chain pays in the end', async () => {
  const found = (await all<Deposit>((cursor) => client.deposits.list({ limit: 100, ...cursor }))).filter(
    ({ user_reference, status }) => user_reference !== null && status === 'success',
  )
  expect(found.map(describeDeposit).sort()).toEqual(
    paidIn
      .map(({ user, rail, txid, address, amount }) =>
        describeDeposit({
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
  // Nothing stands for what is in no block any more.
  const credited = new Set(found.map(({ id }) => id))
  const rest = await sql<{ id: string }[]>`
    SELECT id FROM deposits WHERE merchant_id = ${facts.merchant.id} AND user_reference IS NOT NULL AND status <> 'success'`
  expect(rest.filter(({ id }) => !credited.has(id) && (credits.get(id) ?? 0n) !== 0n)).toEqual([])
})

function describeDeposit(deposit: {
  user_reference: string | null
  coin: string
  transaction_hash: string
  address: { address: string }
  amount: string
}): string {
  const { transaction_hash: hash, amount, coin, address, user_reference: user } = deposit
  return `${hash} ${amount} ${coin} to ${address.address} of ${user}`
}

test('nothing was reversed that is still in the chain', async () => {
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
  // What the contract had paid before its block was replaced.
  expect(reversed).toBeGreaterThan(0)
})

test('every withdrawal is on the chain exactly once, and none was ever given up', async () => {
  const found = await all<Withdrawal>((cursor) => client.withdrawals.list({ limit: 100, ...cursor }))
  expect(found.map(({ id, status }) => [id, status]).sort()).toEqual(
    paidOut.map(({ id }) => [id, 'confirmed']).sort(),
  )
  const networks = networksOf(facts)
  const accounts = new Map(
    await Promise.all(
      networks
        .filter((network) => NETWORKS[network].family === 'evm')
        .map(async (network) => [network, await scanEthereum(nodeOf(facts, network))] as const),
    ),
  )
  for (const { id, rail, amount, recipient } of paidOut) {
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

test('the books are whole, and each address holds on the chain what they say', async () => {
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

test('each user has what was deposited, less what was withdrawn and its fee', async () => {
  const fees = new Map<string, bigint>()
  for (const { id, rail } of paidOut) {
    const { fee, fee_coin } = await client.withdrawals.get(id)
    // A token's fee is the merchant's.
    fees.set(id, fee_coin === rail.coin ? parseAmount(fee, rail.decimals) : 0n)
  }
  for (const user of USERS) {
    const { items } = await client.balances.list({ user_reference: user })
    for (const { network, coin, decimals } of RAILS.filter((rail) =>
      networksOf(facts).includes(rail.network),
    )) {
      const mine = (each: PaidIn | PaidOut) => each.user === user && each.rail.coin === coin
      const expected =
        paidIn.filter(mine).reduce((sum, { amount }) => sum + amount, 0n) -
        paidOut.filter(mine).reduce((sum, { id, amount }) => sum + amount + (fees.get(id) ?? 0n), 0n)
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

test('the honest tenant received every event, without a gap, and each change of status follows the one before', async () => {
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

test('the audit logs of both tenants verify, and Temporal knows the honest schedule', async () => {
  const { api, merchant, other_merchant } = facts
  for (const { api_key: apiKey, api_secret: apiSecret } of [merchant, other_merchant]) {
    const verified = await createClient({ baseUrl: api, apiKey, apiSecret }).auditLog.verify()
    expect(verified.valid).toBe(true)
  }
  const [row] = await sql<{ synced: boolean }[]>`
    SELECT synced_version = version AS synced FROM withdrawal_schedules WHERE id = ${scheduleId}`
  expect(row).toEqual({ synced: true })
})

test('no request of the hostile tenant was answered with a fault of ours, and no process ended', () => {
  expect(stack.facts().pids).toEqual(facts.pids)
  expect(hostile.answers.length).toBeGreaterThan(150)
  const ours = hostile.answers.filter(({ status, shaped }) => status >= 500 || !shaped)
  expect([...new Set(ours.map(({ what, status, code }) => `${what}: ${status} ${code}`))]).toEqual([])
  const replayed = hostile.answers.filter(({ what }) => what.startsWith('replayed'))
  expect(replayed.some(({ code }) => code === 'NONCE_REUSED')).toBe(true)
  expect(replayed.filter(({ status }) => status < 300).length).toBeLessThanOrEqual(replayed.length / 30)
  const strangers = hostile.answers.filter(({ what }) => what === 'an unknown key')
  expect(strangers.some(({ status }) => status === 401)).toBe(true)
  // The API does not wait for the rest of a body that it refuses: 0 stands for a connection that it cut.
  expect(strangers.filter(({ status }) => ![0, 401, 429].includes(status))).toEqual([])
})

function decimalsOf(coin: string): number {
  return RAILS.find((rail) => rail.coin === coin)?.decimals ?? 0
}
