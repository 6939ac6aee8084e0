/**
 * Kills API, workers, signer, Temporal, PostgreSQL and the nodes with SIGKILL, each twice, at moments and in
 * an order that a seed decides, while forty deposits, ten withdrawals, two batches and the consolidations of
 * deposits are under way. Afterwards books, chains and webhooks must agree to the last unit.
 *
 * The test simulates only what lies outside the product: users' wallets, which send their bytes again until a
 * block holds them (a local node forgets its mempool, and sometimes its last blocks, when it is killed, and
 * the product must see a reorganisation); a merchant's impatient backend, which sends each request for a
 * withdrawal twice at once; and two approvers.
 */

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Client } from '../../client/create-client.js'
import type { AuditEntry, Deposit, Withdrawal } from '../../client/types.js'
import { verifyAuditLog } from '../../client/verify-audit-log.js'
import { connect, type Sql } from '../../db/connect.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { homeAt } from '../../signer/home/home.js'
import { readJournal } from '../../signer/journal/read-journal.js'
import type { Batch } from '../../wire/batch.js'
import { findLedgerFaults, readCredits, readHoldings } from './audit-books.js'
import { findStatusesOutOfOrder, readReceived } from './audit-events.js'
import { createBatches, type RequestedBatch } from './batches.js'
import { COINS, type CoinName } from './coins.js'
import { describeDeposit } from './describe-deposit.js'
import { createRandom } from './random.js'
import { all, allEvents } from './read-all.js'
import { type BitcoinScan, scanBitcoin } from './scan-bitcoin.js'
import { type EthereumTransaction, etherOf, scanEthereum, tokenOf } from './scan-ethereum.js'
import { endStack, type FaultStack, startFaultStack, VICTIMS } from './stack.js'
import { createTraffic, type RequestedWithdrawal, type SentDeposit, type Traffic } from './traffic.js'
import { untilSettled } from './until-settled.js'

const SEED = Number(process.env.KEYTURN_FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))
const ROUNDS = 2
/** Pause before each kill: short enough that several processes are dead at once now and then. */
const PAUSE_MS = [500, 5_000] as const
const SETTLE_MS = 300_000

let stack: FaultStack
let traffic: Traffic
let payBatches: ReturnType<typeof createBatches>
let client: Client
let sql: Sql
let facts: StackFile
let failed = false

let deposits: SentDeposit[]
let withdrawals: RequestedWithdrawal[]
let batches: RequestedBatch[]
const killed: number[] = []

beforeAll(async () => {
  console.log(`KEYTURN_FAULT_SEED=${SEED}`)
  stack = await startFaultStack(() => ({
    KEYTURN_LOCAL_NETWORKS: 'bitcoin',
    KEYTURN_SWEEP_INTERVAL: '5s',
    KEYTURN_WEBHOOK_RETRY_INTERVAL: '5s',
    KEYTURN_REBROADCAST_INTERVAL: '3s',
    // The platform consolidates deposits by itself; tokens are worth more than their gas.
    ETHEREUM_TREASURY: 'true',
    ETHEREUM_USDT_WORTH: '0.01',
  }))
  facts = stack.facts()
  sql = connect(facts.postgres, { max: 4, name: 'keyturn-fault-test' })
  traffic = await createTraffic(facts, createRandom(SEED))
  client = traffic.client
  payBatches = createBatches(facts, client, createRandom(SEED + 2))
}, 360_000)

afterEach(({ task }) => {
  failed ||= task.result?.state === 'fail'
})

afterAll(async () => {
  await traffic?.stop()
  await sql?.end({ timeout: 1 })
  await endStack(stack, failed, SEED)
}, 120_000)

test('settles everything although every process is killed', async () => {
  const random = createRandom(SEED + 1)
  ;[deposits, withdrawals, batches] = await Promise.all([
    traffic.sendDeposits(),
    traffic.withdraw(),
    payBatches(),
    killAll(random),
  ])
  await untilSettled(
    stack.facts,
    sql,
    { deposits: deposits.length, withdrawals: withdrawals.length, batches: batches.length },
    SETTLE_MS,
  )
  const { pids } = stack.facts()
  // Each process was killed, and another one took its place.
  expect(
    Object.values(pids)
      .flat()
      .filter((pid) => pid !== undefined && killed.includes(pid)),
  ).toEqual([])
  expect(pids).toEqual({
    ...facts.pids,
    api: expect.any(Number),
    workers: [expect.any(Number), expect.any(Number)],
    signer: expect.any(Number),
    temporal: expect.any(Number),
    postgres: expect.any(Number),
    ethereum: expect.any(Number),
    bitcoin: expect.any(Number),
  })
}, 540_000)

async function killAll(random: ReturnType<typeof createRandom>): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    // There are two workers: the second kill hits the other one, which runs longer than the one that was
    // started again.
    for (const victim of random.shuffled([...VICTIMS, 'longest running worker'] as const)) {
      const pause = random.between(...PAUSE_MS)
      await sleep(pause)
      const pid = await stack.kill(victim)
      killed.push(pid)
      console.log(`killed ${victim} (${pid}) after ${pause} ms`)
    }
  }
}

test('credits every deposit exactly once, with its amount', async () => {
  expect(deposits).toHaveLength(40)
  const found = (await all<Deposit>((cursor) => client.deposits.list({ limit: 100, ...cursor }))).filter(
    (deposit) => deposit.user_reference !== null,
  )
  expect(found.map(describeDeposit).sort()).toEqual(
    deposits
      .map(({ user, coin, txid, address, amount }) =>
        describeDeposit({
          status: 'success',
          user_reference: user,
          coin,
          transaction_hash: txid,
          address: { address },
          amount: formatAmount(amount, COINS[coin].decimals),
        }),
      )
      .sort(),
  )
  const credits = await readCredits(sql)
  expect(found.map(({ id }) => [id, credits.get(id)])).toEqual(
    found.map(({ id, amount, coin }) => [id, parseAmount(amount, COINS[coin as 'eth'].decimals)]),
  )
})

test('pays every withdrawal on the chain exactly once, and uses no nonce and no output twice', async () => {
  expect(withdrawals).toHaveLength(10)
  const found = await all<Withdrawal>((cursor) => client.withdrawals.list({ limit: 100, ...cursor }))
  expect(found.map(({ id, status }) => [id, status]).sort()).toEqual(
    withdrawals.map(({ id }) => [id, 'confirmed']).sort(),
  )
  const paidBatches = await Promise.all(batches.map(({ id }) => client.batches.get(id)))
  const ethereum = await scanEthereum(facts.networks.ethereum.rpc)
  const bitcoin = await scanBitcoin(facts.networks.bitcoin?.rpc ?? '')
  for (const { id, coin, amount, recipient, hash } of [
    ...withdrawals.map((each) => ({
      ...each,
      hash: found.find(({ id }) => id === each.id)?.transaction_hash ?? null,
    })),
    ...batches.flatMap((batch) => itemsOf(batch, paidBatches)),
  ]) {
    const paid = coin === 'btc' ? bitcoin.received(recipient) : await holdingOf(recipient, coin)
    expect([id, paid]).toEqual([id, amount])
    const times =
      coin === 'btc' ? bitcoin.times(hash ?? '') : ethereum.filter((each) => each.hash === hash).length
    expect([id, times]).toEqual([id, 1])
  }
  expectNoneTwice(bitcoin.spent)
  const items = batches.flatMap((batch) =>
    itemsOf(batch, paidBatches).map(({ hash }) => ({ network: COINS[batch.coin].network, hash })),
  )
  const requested = found.map(({ network, transaction_hash: hash }) => ({ network, hash }))
  await expectOwnPayouts([...requested, ...items], ethereum, bitcoin)
})

/** Returns the items as they were requested, with the transactions that the API names. */
function itemsOf({ id, coin, outputs }: RequestedBatch, answers: readonly Batch[]) {
  const answer = answers.find((each) => each.id === id)
  expect(answer).toMatchObject({
    status: 'confirmed',
    items: outputs.map(({ recipient, amount }, index) => ({
      index,
      status: 'confirmed',
      to_address: recipient,
      amount: formatAmount(amount, COINS[coin].decimals),
    })),
  })
  return outputs.map(({ recipient, amount }, index) => ({
    id: `${id} ${index}`,
    coin,
    amount,
    recipient,
    hash: answer?.items[index]?.transaction_hash ?? null,
  }))
}

/**
 * Expects that what left our wallets was requested or went to another of our wallets, and that the signer
 * signed once a place.
 */
async function expectOwnPayouts(
  requested: readonly { readonly network: string; readonly hash: string | null }[],
  ethereum: readonly EthereumTransaction[],
  bitcoin: BitcoinScan,
): Promise<void> {
  const own = (await sql<{ address: string }[]>`SELECT address FROM addresses`).map((row) =>
    row.address.toLowerCase(),
  )
  const left = ethereum.filter(({ from }) => own.includes(from))
  expectNoneTwice(left.map(({ from, nonce }) => `${from} ${nonce}`))
  const hashes = (network: string) => [
    ...new Set(
      requested.flatMap((each) => (each.network === network && each.hash !== null ? [each.hash] : [])),
    ),
  ]
  const moved = left.filter(({ paid }) => own.includes(paid)).map(({ hash }) => hash)
  // Gas first, then the tokens, of each of five users; and the ether of most of them.
  expect(moved.length).toBeGreaterThan(10)
  expect(left.map(({ hash }) => hash).sort()).toEqual([...moved, ...hashes('ethereum')].sort())
  const spending = await sql<{ txid: string; outpoint: string }[]>`
    SELECT attempt.txid, (input ->> 'txid') || ':' || (input ->> 'vout') AS outpoint
    FROM attempts attempt, jsonb_array_elements(attempt.inputs) AS input WHERE attempt.network = 'bitcoin'`
  expectNoneTwice(spending.map(({ outpoint }) => outpoint))
  expect([...new Set(spending.map(({ txid }) => txid))].sort()).toEqual(hashes('bitcoin').sort())
  for (const { outpoint } of spending) expect(bitcoin.spent).toContain(outpoint)

  const { lines } = readJournal(readFileSync(homeAt(facts.signer.home).journal))
  const places = lines.flatMap(({ entry }) => {
    if (entry.type !== 'decided') return []
    const { conflict } = entry
    return conflict.kind === 'evm' ? [`${conflict.from} ${conflict.nonce}`] : conflict.inputs
  })
  expectNoneTwice(places)
  const signed = lines.flatMap(({ entry }) => (entry.type === 'signed' ? [entry.transaction_hash] : []))
  expect([...new Set(signed)].sort()).toEqual([...moved, ...hashes('ethereum'), ...hashes('bitcoin')].sort())
}

test('keeps the books whole', async () => {
  expect(await findLedgerFaults(sql)).toEqual([])
})

test('books for each address what it holds on the chain', async () => {
  const bitcoin = await scanBitcoin(facts.networks.bitcoin?.rpc ?? '')
  const holdings = await readHoldings(sql)
  // The addresses of five users on two networks, and the wallets and change of two merchants.
  expect(holdings.length).toBeGreaterThan(20)
  const onChain = await Promise.all(
    holdings.map(async ({ address, coin }) =>
      coin === 'btc' ? bitcoin.unspent(address) : holdingOf(address, coin as CoinName),
    ),
  )
  expect(holdings.map(({ address, coin, amount }) => `${address} ${amount} ${coin}`)).toEqual(
    holdings.map(({ address, coin }, index) => `${address} ${onChain[index]} ${coin}`),
  )
})

test('consolidates deposits in the master wallet, except amounts that are not worth moving', async () => {
  const wallets = await sql<{ kind: string; address: string }[]>`
    SELECT kind, address FROM addresses
    WHERE merchant_id = ${facts.merchant.id} AND network = 'ethereum' AND kind IN ('deposit', 'master')`
  const held = async (kind: string, coin: CoinName) => {
    const addresses = wallets.filter((each) => each.kind === kind)
    return Promise.all(addresses.map(({ address }) => holdingOf(address, coin)))
  }
  const tokens = deposits.filter(({ coin }) => coin === 'usdt').reduce((sum, { amount }) => sum + amount, 0n)
  const leftTokens = await held('deposit', 'usdt')
  expect(await held('master', 'usdt')).toEqual([leftTokens.reduce((rest, left) => rest - left, tokens)])
  // The least amounts of networks.yml.
  for (const left of leftTokens) expect(left).toBeLessThan(parseAmount('20', 6))
  for (const left of await held('deposit', 'eth')) expect(left).toBeLessThan(parseAmount('0.01', 18))
})

test('owes each user the deposits, less the withdrawals and their fees', async () => {
  const fees = new Map<string, bigint>()
  for (const { id, coin } of withdrawals) {
    const { fee, fee_coin } = await client.withdrawals.get(id)
    // A token's fee is the merchant's.
    fees.set(id, fee_coin === coin ? parseAmount(fee, COINS[coin].decimals) : 0n)
  }
  for (const user of new Set(deposits.map((each) => each.user))) {
    const { items } = await client.balances.list({ user_reference: user })
    for (const coin of ['eth', 'usdt', 'btc'] as const) {
      const mine = (each: { user: string; coin: string }) => each.user === user && each.coin === coin
      const expected =
        deposits.filter(mine).reduce((sum, { amount }) => sum + amount, 0n) -
        withdrawals.filter(mine).reduce((sum, { id, amount }) => sum + amount + (fees.get(id) ?? 0n), 0n)
      const { available, reserved, pending } = items.find((each) => each.coin === coin) ?? {}
      expect([user, coin, available, reserved, pending]).toEqual([
        user,
        coin,
        formatAmount(expected, COINS[coin].decimals),
        '0',
        '0',
      ])
    }
  }
})

test('numbers events without a gap, each change of status after the one before', async () => {
  const events = await allEvents(client)
  expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1))
  const [stored] = await sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM events WHERE merchant_id = ${facts.merchant.id}`
  expect(events).toHaveLength(stored?.count ?? 0)
  expect(findStatusesOutOfOrder(events)).toEqual([])
  const last = new Map(
    events.flatMap(({ event, data }) =>
      event.endsWith('.status_changed') ? [[data.id, data.status] as const] : [],
    ),
  )
  for (const { id } of [...withdrawals, ...batches]) expect(last.get(id)).toBe('confirmed')
  expect([...last.values()].filter((status) => status !== 'success' && status !== 'confirmed')).toEqual([])
})

test('delivers every event to the merchant, each time with the same bytes and a valid signature', async () => {
  const { requests, unverified, bodies } = await readReceived(facts)
  expect(unverified).toEqual([])
  const events = await allEvents(client)
  const stored = await sql<{ id: string; body: Buffer }[]>`
    SELECT id, body FROM events WHERE merchant_id = ${facts.merchant.id} ORDER BY sequence`
  expect(stored.map(({ id, body }) => [id, [body.toString('utf8')]])).toEqual(
    events.map(({ id }) => [id, bodies.get(id) ?? []]),
  )
  expect(stored.map(({ body }) => JSON.parse(body.toString('utf8')))).toEqual(events)
  expect(bodies.size).toBe(events.length)
  console.log(
    `${events.length} events received in ${requests} webhooks; wallets sent ${traffic.resent()} transactions again`,
  )
})

test('keeps an audit log that verifies, online and offline', async () => {
  const verified = await client.auditLog.verify()
  expect(verified.valid).toBe(true)
  const entries = await all<AuditEntry>((cursor) => client.auditLog.list({ limit: 100, ...cursor }))
  expect(entries).toHaveLength(verified.entries)
  expect(verifyAuditLog(JSON.stringify(entries), verified.head_hash)).toMatchObject({ valid: true })
})

async function holdingOf(address: string, coin: CoinName): Promise<bigint> {
  const { rpc, tokens } = facts.networks.ethereum
  return coin === 'eth' ? etherOf(rpc, address) : tokenOf(rpc, tokens.usdt.address, address)
}

function expectNoneTwice(values: readonly string[]): void {
  expect(values.filter((value, index) => values.indexOf(value) !== index)).toEqual([])
}
