/**
 * Measures payouts on the whole local stack: how fast approved ones reach the chain, and what a batch saves.
 */

import { randomBytes } from 'node:crypto'
import type { Client } from '../client/create-client.js'
import { connect, type Sql } from '../db/connect.js'
import { mapConcurrently } from '../domain/map-concurrently.js'
import { createBitcoinFaucet, faucetKey, privateKeyOf } from '../local/parts/bitcoin-faucet.js'
import { jsonRpc } from '../local/parts/json-rpc.js'
import type { StackFile } from '../local/stack/stack-file.js'
import { approve, clientOf } from '../local/walk/people.js'
import type { BenchContext } from './context.js'
import type { Measurement } from './measurement.js'
import { startStack } from './stack.js'
import { until } from './until.js'

const WITHDRAWALS = 200
/** Attempts that one account may have in flight, with a block a second. */
const BOUND = 16
const EXPECTED = 0.75
const ITEMS = 1_000
const SINGLES = 5
const REQUESTS = 8
/** Longest wait for all withdrawals of a rail, on a machine with other load. */
const PATIENCE_MS = 400_000

/** Satoshis of a coin that pays one withdrawal and its fee. */
const COIN = 200_000n

interface Rail {
  readonly name: string
  readonly network: string
  readonly coin: string
  readonly amount: string
  /** Makes the address of a recipient without an owner. */
  stranger(): string
}

const ETHEREUM: Rail = {
  name: 'EVM',
  network: 'ethereum',
  coin: 'eth',
  amount: '0.01',
  stranger: () => '0x00000000000000000000000000000000DeaDBeef',
}
const BITCOIN: Rail = {
  name: 'UTXO',
  network: 'bitcoin',
  coin: 'btc',
  amount: '0.0005',
  stranger: () => faucetKey(randomBytes(32)).address,
}

/**
 * Measures approved withdrawals a second from one wallet of each family, then a batch of a thousand beside
 * single payouts.
 */
export async function benchPayouts(context: BenchContext): Promise<Measurement[]> {
  const stack = await startStack(context)
  const sql = connect(stack.postgres, { max: 2, name: 'keyturn-bench' })
  context.onEnd(() => sql.end({ timeout: 1 }))
  const merchant = clientOf(stack.api, stack.merchant)
  context.progress(`  … ${WITHDRAWALS} withdrawals of eth`)
  const evm = await approvedToBroadcast(stack, sql, merchant, ETHEREUM)
  const measurements: Measurement[] = [
    {
      ...evm,
      against: `${BOUND} in flight an account, a block a second`,
      reference: BOUND,
      ratio: evm.ours / BOUND,
      expected: EXPECTED,
    },
  ]
  const { bitcoin } = stack.networks
  if (!bitcoin) return measurements
  context.progress(`  … ${WITHDRAWALS} withdrawals of btc`)
  await giveCoins(bitcoin, sql, merchant)
  measurements.push(await approvedToBroadcast(stack, sql, merchant, BITCOIN))
  context.progress(`  … a batch of ${ITEMS} items of btc`)
  return [...measurements, ...(await batchBesideSingles(stack, sql, merchant))]
}

/** Gives the wallet a coin for each withdrawal, so that none waits for the change of another. */
async function giveCoins(
  bitcoin: NonNullable<StackFile['networks']['bitcoin']>,
  sql: Sql,
  merchant: Client,
): Promise<void> {
  const { items } = await merchant.wallets.list({ limit: 100 })
  const wallet = items.find(({ network, kind }) => network === 'bitcoin' && kind === 'master')
  if (!wallet) throw new Error('The merchant has no master wallet on Bitcoin')
  const call = (method: string, ...params: unknown[]) => jsonRpc(bitcoin.rpc, method, params)
  const faucet = createBitcoinFaucet({ call }, faucetKey(privateKeyOf(bitcoin.faucet_wif)))
  const txid = await faucet.pay(
    Array.from({ length: WITHDRAWALS }, () => ({ address: wallet.address, amount: COIN })),
  )
  await until('the coins are credited', async () => {
    const [row] = await sql<{ count: number }[]>`
      SELECT count(*)::integer AS count FROM deposits WHERE txid = ${txid} AND status = 'success'`
    return row?.count === WITHDRAWALS
  })
}

/**
 * Approves and builds all withdrawals while the signer is stopped, so that the measurement begins with its
 * first claim.
 */
async function approvedToBroadcast(
  stack: StackFile,
  sql: Sql,
  merchant: Client,
  rail: Rail,
): Promise<Measurement> {
  const { signer } = stack.pids
  if (signer === undefined) throw new Error('The signer does not run')
  const ids: string[] = []
  await mapConcurrently(Array.from({ length: WITHDRAWALS }), REQUESTS, async () => {
    const { id } = await merchant.withdrawals.create({
      network: rail.network,
      coin: rail.coin,
      amount: rail.amount,
      to_address: rail.stranger(),
    })
    ids.push(id)
  })
  process.kill(signer, 'SIGSTOP')
  let started: number
  try {
    await mapConcurrently(ids, REQUESTS, (id) => approve(stack, 'withdrawals', id))
    await until(
      `${WITHDRAWALS} withdrawals wait for the signer`,
      async () => {
        const [row] = await sql<{ count: number }[]>`
        SELECT count(*)::integer AS count FROM payouts WHERE id = ANY (${ids}) AND stage = 'pending_signature'`
        return row?.count === WITHDRAWALS
      },
      PATIENCE_MS,
    )
  } finally {
    started = Date.now()
    process.kill(signer, 'SIGCONT')
  }
  const all = async () => (await sent(sql, ids)).length >= WITHDRAWALS
  await until(`${WITHDRAWALS} withdrawals are sent`, all, PATIENCE_MS)
  const last = Math.max(...(await sent(sql, ids)).map((row) => row.broadcast_at.getTime()))
  return {
    name: `${WITHDRAWALS} approved ${rail.name} withdrawals of one wallet, signed and broadcast`,
    unit: '/s',
    ours: WITHDRAWALS / ((last - started) / 1_000),
    against: null,
    reference: null,
    ratio: null,
    expected: null,
  }
}

interface Sent {
  readonly broadcast_at: Date
  readonly bytes: number
  readonly fee: bigint
}

async function sent(sql: Sql, subjects: readonly string[]): Promise<Sent[]> {
  return await sql<Sent[]>`
    SELECT broadcast_at, (length(signed_transaction) / 2)::integer AS bytes, max_fee AS fee FROM attempts
    WHERE payout_id = ANY (${[...subjects]}) AND broadcast_at IS NOT NULL`
}

async function batchBesideSingles(stack: StackFile, sql: Sql, merchant: Client): Promise<Measurement[]> {
  const recipients = Array.from({ length: ITEMS }, BITCOIN.stranger)
  const rail = { network: 'bitcoin', coin: 'btc' } as const
  const batch = await merchant.batches.create({
    batch_withdrawal: {
      ...rail,
      outputs: recipients.map((to_address) => ({ to_address, amount: '0.0005' })),
    },
  })
  const started = Date.now()
  await approve(stack, 'batches', batch.id)
  const parts = await sql<{ id: string }[]>`SELECT id FROM payouts WHERE batch_id = ${batch.id}`
  const partIds = parts.map(({ id }) => id)
  await until('the batch is sent', async () => (await sent(sql, partIds)).length >= partIds.length)
  const together = await sent(sql, partIds)
  const seconds = (Math.max(...together.map((row) => row.broadcast_at.getTime())) - started) / 1_000

  const singles: string[] = []
  for (const to_address of recipients.slice(0, SINGLES)) {
    const { id } = await merchant.withdrawals.create({ ...rail, amount: '0.0005', to_address })
    singles.push(id)
    await approve(stack, 'withdrawals', id)
  }
  await until('single payouts are sent', async () => (await sent(sql, singles)).length >= SINGLES)
  const apart = await sent(sql, singles)
  const each = (rows: readonly Sent[], of: (row: Sent) => number, count: number) =>
    rows.reduce((sum, row) => sum + of(row), 0) / count
  const line = (name: string, unit: string, of: (row: Sent) => number): Measurement => {
    const [ours, reference] = [each(together, of, ITEMS), each(apart, of, SINGLES)]
    return {
      name,
      unit,
      ours,
      against: 'single payouts',
      reference,
      ratio: reference / ours,
      expected: null,
    }
  }
  return [
    {
      name: `batch of ${ITEMS} BTC items in ${together.length} transactions, approval to broadcast`,
      unit: 's',
      ours: seconds,
      against: null,
      reference: null,
      ratio: null,
      expected: null,
    },
    line('batch, bytes an item', 'B', ({ bytes }) => bytes),
    line('batch, fee an item', 'sat', ({ fee }) => Number(fee)),
  ]
}
