/** History events and database work of deposits and withdrawals, counted on the whole local stack with every process of its own. */

import { sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { createClient } from '../client/create-client.js'
import { connect, type Sql } from '../db/connect.js'
import { approvalMessage } from '../domain/approval.js'
import { isWithdrawalFinal, type WithdrawalStage } from '../domain/withdrawal-stage.js'
import { createBitcoinFaucet, faucetKey, privateKeyOf } from '../local/parts/bitcoin-faucet.js'
import { jsonRpc } from '../local/parts/json-rpc.js'
import { startProcess, untilReady } from '../local/parts/start-process.js'
import { evmClients } from '../local/parts/usdt.js'
import { type StackFile, stackFileSchema } from '../local/stack/stack-file.js'
import { depositId, withdrawalId } from '../workflows/ids.js'
import type { BenchContext } from './context.js'
import { costLines, countCost } from './cost.js'
import type { Measurement } from './measurement.js'

/** Of each coin, all under way at once: polling is a smaller part of what is counted then. */
const PIECES = 5
/** History events of a deposit that is first seen in the mempool (design, section 3). */
const BUDGET = 24
const USER = 'bench'
const START_MS = 240_000
const STEP_MS = 120_000

interface Flow {
  readonly network: 'ethereum' | 'bitcoin'
  readonly coin: 'eth' | 'btc'
  readonly deposited: string
  readonly withdrawn: string
  /** Pays `deposited`. @returns The transaction's hash. */
  pay(address: string): Promise<string>
  readonly recipient: string
}

/** Starts the stack that `npm start` starts, pays in and out, and reads what happened. */
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
  const merchant = clientOf(stack, stack.merchant)
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
    for (const id of ids) for (const person of stack.approvers.slice(0, 2)) await approve(stack, person, id)
    await until(`${PIECES} withdrawals are confirmed`, async () => {
      const now = await sql<{ id: string; stage: WithdrawalStage; failure_message: string | null }[]>`
        SELECT id, stage, failure_message, 1 AS bench_poll FROM withdrawals WHERE id = ANY (${ids})`
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
            BUDGET,
          ),
        ]),
    lengthLine(`history events, ${coin} withdrawal`, await longest(temporal, ids.map(withdrawalId)), null),
    ...costLines(`a deposit of ${coin} with ${deposits.webhooks} webhooks`, deposits.cost, PIECES),
    ...costLines(`a withdrawal of ${coin} with ${withdrawals.webhooks} webhooks`, withdrawals.cost, PIECES),
  ]
}

/** Runs the work until its webhooks are delivered as well. */
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

async function startStack(context: BenchContext): Promise<StackFile> {
  const home = join(context.directory, 'stack')
  const logFile = join(context.directory, 'stack.log')
  const running = await startProcess({
    name: 'The local stack',
    command: process.execPath,
    args: ['--import', 'tsx', 'local/start.ts', '--no-demo'],
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: {
      KEYTURN_HOME: home,
      KEYTURN_POSTGRES_URL: context.postgresUrl,
      LITECOIN_ENABLED: 'false',
      POLYGON_ENABLED: 'false',
    },
    logFile,
    // It ends its own parts in order.
    stopSignal: 'SIGINT',
    stopGrace: 60_000,
  })
  context.onEnd(() => running.stop())
  let stack: StackFile | undefined
  await untilReady(
    running,
    logFile,
    async () => {
      await sleep(250)
      stack = stackFileSchema.parse(JSON.parse(await readFile(join(home, 'stack.json'), 'utf8')))
      if (!stack.ready) throw new Error('It is not ready yet')
    },
    START_MS,
  )
  if (!stack) throw new Error('The local stack did not say where it is')
  return stack
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

const clientOf = (stack: StackFile, key: { readonly api_key: string; readonly api_secret: string }) =>
  createClient({ baseUrl: stack.api, apiKey: key.api_key, apiSecret: key.api_secret })

async function approve(
  stack: StackFile,
  approver: StackFile['approvers'][number],
  id: string,
): Promise<void> {
  const { withdrawals } = clientOf(stack, approver)
  const { intent_hash } = await withdrawals.intent(id)
  const decision = { decision: 'approve', intent_hash, signed_at: new Date().toISOString() } as const
  const message = approvalMessage({ ...decision, approver_id: approver.id })
  const signature = sign(null, Buffer.from(message), approver.ed25519_private_key_pem).toString('base64')
  await withdrawals.decide(id, { ...decision, signature })
}

async function longest(temporal: Client, workflowIds: readonly string[]): Promise<number> {
  const lengths = await Promise.all(
    workflowIds.map(
      async (id) => (await temporal.workflow.getHandle(id).fetchHistory()).events?.length ?? Number.NaN,
    ),
  )
  return Math.max(...lengths)
}

function lengthLine(name: string, events: number, budget: number | null): Measurement {
  return {
    name,
    unit: '',
    ours: events,
    against: budget === null ? null : 'budget',
    reference: budget,
    ratio: budget === null ? null : budget / events,
    expected: budget === null ? null : 1,
  }
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + STEP_MS
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`Waited ${STEP_MS / 1_000} s and still not: ${what}`)
    await sleep(250)
  }
}
