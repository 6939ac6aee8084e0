/**
 * Counts history events and database work of deposits and withdrawals, on the whole local stack with a
 * process for each part.
 */

import { Client, Connection } from '@temporalio/client'
import { connect, type Sql } from '../db/connect.js'
import { isWithdrawalFinal, type WithdrawalStage } from '../domain/payouts/withdrawal-stage.js'
import { createBitcoinFaucet, faucetKey, privateKeyOf } from '../local/parts/bitcoin-faucet.js'
import { jsonRpc } from '../local/parts/json-rpc.js'
import { evmClients } from '../local/parts/usdt.js'
import type { StackFile } from '../local/stack/stack-file.js'
import { approve, clientOf } from '../local/walk/people.js'
import { depositId, withdrawalId } from '../temporal/ids.js'
import type { BenchContext } from './context.js'
import { costLines, countCost } from './cost.js'
import type { Measurement } from './measurement.js'
import { startStack } from './stack.js'
import { until } from './until.js'

/** Number of each coin, all under way at the same time, so that polling is a smaller part of the count. */
const PIECES = 5
/** Budgets of history events: for a deposit that is first seen in the mempool, and for a withdrawal. */
const BUDGET = { deposit: 24, withdrawal: 50 } as const
/** Budget of SQL statements for a withdrawal with its webhooks, in all processes. */
const WITHDRAWAL_STATEMENTS = 140
const USER = 'bench'

interface Flow {
  readonly network: 'ethereum' | 'bitcoin'
  readonly coin: 'eth' | 'btc'
  readonly deposited: string
  readonly withdrawn: string
  /** Pays `deposited` to an address. @returns The transaction's hash. */
  pay(address: string): Promise<string>
  readonly recipient: string
}

/** Starts the stack of `npm start`, makes deposits and withdrawals, and reads what happened. */
export async function benchHistories(context: BenchContext): Promise<Measurement[]> {
  const stack = await startStack(context)
  const sql = connect(stack.postgres, { max: 2, name: 'keyturn-bench' })
  context.onEnd(() => sql.end({ timeout: 1 }))
  const connection = await Connection.connect({ address: stack.temporal.address })
  context.onEnd(() => connection.close())
  const temporal = new Client({ connection, namespace: stack.temporal.namespace })
  const measurements: Measurement[] = []
  for (const flow of [ethereumFlow(stack), bitcoinFlow(stack)]) {
    if (!flow) continue
    context.progress(`  … ${PIECES} deposits and withdrawals of ${flow.coin}`)
    measurements.push(...(await measure(stack, sql, temporal, flow)))
  }
  return measurements
}

async function measure(stack: StackFile, sql: Sql, temporal: Client, flow: Flow): Promise<Measurement[]> {
  const merchant = clientOf(stack.api, stack.merchant)
  const { address } = await merchant.addresses.create({ user_reference: USER, network: flow.network })
  const coin = flow.coin.toUpperCase()

  const txids: string[] = []
  const deposits = await counted(sql, async () => {
    for (let piece = 0; piece < PIECES; piece++) txids.push(await flow.pay(address))
    await until(`${PIECES} deposits are credited`, async () => {
      const [row] = await sql<{ credited: number }[]>`
        SELECT count(*)::integer AS credited, 1 AS bench_poll FROM deposits
        WHERE txid = ANY (${txids}) AND status = 'success'`
      return row?.credited === PIECES
    })
  })
  const rows = await sql<{ txid: string; output_index: number; cause: string }[]>`
    SELECT txid, output_index, history -> 0 ->> 'cause' AS cause FROM deposits WHERE txid = ANY (${txids})`
  const early = rows.filter((row) => row.cause.includes('mempool'))

  const ids: string[] = []
  const withdrawals = await counted(sql, async () => {
    for (let piece = 0; piece < PIECES; piece++) {
      const created = await merchant.withdrawals.create({
        network: flow.network,
        coin: flow.coin,
        amount: flow.withdrawn,
        to_address: flow.recipient,
        user_reference: USER,
      })
      ids.push(created.id)
    }
    for (const id of ids) await approve(stack, 'withdrawals', id)
    await until(`${PIECES} withdrawals are confirmed`, async () => {
      const now = await sql<{ id: string; stage: WithdrawalStage; failure_message: string | null }[]>`
        SELECT id, stage, failure_message, 1 AS bench_poll FROM payouts WHERE id = ANY (${ids})`
      const failed = now.find((each) => each.stage !== 'confirmed' && isWithdrawalFinal(each.stage))
      if (failed) throw new Error(`${failed.id} is ${failed.stage}: ${failed.failure_message}`)
      return now.every((each) => each.stage === 'confirmed')
    })
  })

  return [
    ...(early.length === 0
      ? []
      : [
          lengthLine(
            `history events, ${coin} deposit first seen in the mempool`,
            await longest(
              temporal,
              early.map((row) => depositId(flow.network, row.txid, row.output_index)),
            ),
            BUDGET.deposit,
          ),
        ]),
    lengthLine(
      `history events, ${coin} withdrawal`,
      await longest(temporal, ids.map(withdrawalId)),
      BUDGET.withdrawal,
    ),
    ...costLines(`a deposit of ${coin} with ${deposits.webhooks} webhooks`, deposits.cost, PIECES),
    ...costLines(`a withdrawal of ${coin} with ${withdrawals.webhooks} webhooks`, withdrawals.cost, PIECES, {
      statements: WITHDRAWAL_STATEMENTS,
    }),
  ]
}

/** Runs the work, and waits until its webhooks are delivered too. */
async function counted(sql: Sql, work: () => Promise<void>) {
  const deliveries = async () => {
    const [row] = await sql<{ all: number; open: number }[]>`
      SELECT count(*)::integer AS all, count(*) FILTER (WHERE status = 'pending')::integer AS open, 1 AS bench_poll
      FROM webhook_deliveries`
    return row ?? { all: 0, open: 0 }
  }
  const before = (await deliveries()).all
  const cost = await countCost(sql, async () => {
    await work()
    await until('all webhooks are delivered', async () => (await deliveries()).open === 0)
  })
  return { cost, webhooks: ((await deliveries()).all - before) / PIECES }
}

function ethereumFlow(stack: StackFile): Flow {
  const { rpc, chain_id, faucet_private_key } = stack.networks.ethereum
  const { wallet } = evmClients(rpc, chain_id, faucet_private_key as `0x${string}`)
  return {
    network: 'ethereum',
    coin: 'eth',
    deposited: '1',
    withdrawn: '0.1',
    pay: (address) => wallet.sendTransaction({ to: address as `0x${string}`, value: 10n ** 18n }),
    recipient: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  }
}

function bitcoinFlow(stack: StackFile): Flow | null {
  const { bitcoin } = stack.networks
  if (!bitcoin) return null
  const call = (method: string, ...params: unknown[]) => jsonRpc(bitcoin.rpc, method, params)
  const key = faucetKey(privateKeyOf(bitcoin.faucet_wif))
  const faucet = createBitcoinFaucet({ call }, key)
  return {
    network: 'bitcoin',
    coin: 'btc',
    deposited: '0.2',
    withdrawn: '0.05',
    pay: (address) => faucet.pay([{ address, amount: 20_000_000n }]),
    recipient: key.address,
  }
}

async function longest(temporal: Client, workflowIds: readonly string[]): Promise<number> {
  const lengths = await Promise.all(
    workflowIds.map(
      async (id) => (await temporal.workflow.getHandle(id).fetchHistory()).events?.length ?? Number.NaN,
    ),
  )
  return Math.max(...lengths)
}

function lengthLine(name: string, events: number, budget: number): Measurement {
  return {
    name,
    unit: '',
    ours: events,
    against: 'budget',
    reference: budget,
    ratio: budget / events,
    expected: 1,
  }
}
