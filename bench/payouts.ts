/**
 * Measures payouts on the whole local stack: how fast approved ones reach the chain, and what a batch saves.
 */

import { randomBytes } from 'node:crypto'
import type { Client } from '../client/create-client.js'
import { connect, type Sql } from '../db/connect.js'
import { mapConcurrently } from '../domain/map-concurrently.js'
import { faucetKey } from '../local/parts/bitcoin-faucet.js'
import type { StackFile } from '../local/stack/stack-file.js'
import { approve, clientOf } from '../local/walk/people.js'
import type { BenchContext } from './context.js'
import type { Measurement } from './measurement.js'
import { startStack } from './stack.js'
import { until } from './until.js'

const WITHDRAWALS = 200
/** Attempts that one account may have in flight, with a block a second. */
const BOUND = 16
const ITEMS = 1_000
const SINGLES = 5
const REQUESTS = 8
/** Recipient, an address without an owner. */
const STRANGER = '0x00000000000000000000000000000000DeaDBeef'

/**
 * Measures approved withdrawals a second from one wallet, then a batch of a thousand beside single payouts.
 */
export async function benchPayouts(context: BenchContext): Promise<Measurement[]> {
  const stack = await startStack(context)
  const sql = connect(stack.postgres, { max: 2, name: 'keyturn-bench' })
  context.onEnd(() => sql.end({ timeout: 1 }))
  const merchant = clientOf(stack.api, stack.merchant)
  context.progress(`  … ${WITHDRAWALS} withdrawals of eth`)
  const measurements = [await approvedToBroadcast(stack, sql, merchant)]
  if (!stack.networks.bitcoin) return measurements
  context.progress(`  … a batch of ${ITEMS} items of btc`)
  return [...measurements, ...(await batchBesideSingles(stack, sql, merchant))]
}

/**
 * Approves and builds all withdrawals while the signer is stopped, so that the measurement begins with its
 * first claim.
 */
async function approvedToBroadcast(stack: StackFile, sql: Sql, merchant: Client): Promise<Measurement> {
  const { signer } = stack.pids
  if (signer === undefined) throw new Error('The signer does not run')
  const ids: string[] = []
  await mapConcurrently(Array.from({ length: WITHDRAWALS }), REQUESTS, async () => {
    const { id } = await merchant.withdrawals.create({
      network: 'ethereum',
      coin: 'eth',
      amount: '0.01',
      to_address: STRANGER,
    })
    ids.push(id)
  })
  process.kill(signer, 'SIGSTOP')
  let started: number
  try {
    await mapConcurrently(ids, REQUESTS, (id) => approve(stack, 'withdrawals', id))
    await until(`${WITHDRAWALS} withdrawals wait for the signer`, async () => {
      const [row] = await sql<{ count: number }[]>`
        SELECT count(*)::integer AS count FROM payouts WHERE id = ANY (${ids}) AND stage = 'pending_signature'`
      return row?.count === WITHDRAWALS
    })
  } finally {
    started = Date.now()
    process.kill(signer, 'SIGCONT')
  }
  await until(`${WITHDRAWALS} withdrawals are sent`, async () => (await sent(sql, ids)).length >= WITHDRAWALS)
  const last = Math.max(...(await sent(sql, ids)).map((row) => row.broadcast_at.getTime()))
  const ours = WITHDRAWALS / ((last - started) / 1_000)
  return {
    name: `${WITHDRAWALS} approved EVM withdrawals of one wallet, signed and broadcast`,
    unit: '/s',
    ours,
    against: `${BOUND} in flight an account, a block a second`,
    reference: BOUND,
    ratio: ours / BOUND,
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
  const recipients = bitcoinStrangers(ITEMS)
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

function bitcoinStrangers(count: number): string[] {
  return Array.from({ length: count }, () => faucetKey(randomBytes(32)).address)
}
