/**
 * Measures deposits a second from the block to the last webhook, beside the same workflows, timers and
 * signals with empty activities. Blocks are real ones of Anvil, mined beforehand and shown to the watcher one
 * after the other: otherwise the bench would measure the mining node.
 */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@temporalio/client'
import { Pool } from 'undici'
import { encodeFunctionData } from 'viem'
import type { ConfirmResult } from '../activities/deposits/deposit.js'
import type { AttemptOutcome } from '../activities/events/attempt.js'
import type { BlockRef, ChainAdapter } from '../chains/adapter.js'
import { createEvmAdapter } from '../chains/evm/create-evm-adapter.js'
import type { Sql } from '../db/connect.js'
import type { CreditOutcome } from '../db/deposits/credit-outcome.js'
import { createCursor } from '../db/networks/chain-cursor.js'
import { mapConcurrently } from '../domain/map-concurrently.js'
import { FAUCET_PRIVATE_KEY, startAnvil } from '../local/parts/anvil.js'
import { freePort } from '../local/parts/free-port.js'
import { deployUsdt, USDT_ABI } from '../local/parts/usdt.js'
import { loadNetworks } from '../networks/load-networks.js'
import { depositId } from '../temporal/ids.js'
import { startChainWatcher, startDeposit, startWebhookDelivery } from '../temporal/start.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'
import { createWorkflowGate } from '../temporal/workflow-gate.js'
import { alternate } from './alternate.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import { type Cost, costLines, countCost } from './cost.js'
import { createBenchEndpoint } from './endpoint.js'
import type { Measurement } from './measurement.js'
import { createBenchMerchant, payeeOf } from './merchant.js'
import { startFloor, startPlatform } from './platform.js'
import { type BenchTemporal, startBenchTemporal, untilClosed } from './temporal.js'

const EXPECTED = 0.6
const ROUNDS = 4
/** Blocks of a round. Each holds `DEPOSITS` deposits, half in ether and half in the token. */
const BLOCKS = 4
const DEPOSITS = 12
const CONFIRMATIONS = 3
/** Webhooks of a deposit that is first seen in a block: five statuses and two balances. */
const WEBHOOKS = { seen: 2, confirmed: 3, credited: 2 } as const
const WEBHOOKS_EACH = WEBHOOKS.seen + WEBHOOKS.confirmed + WEBHOOKS.credited
/** Number of open webhooks up to which the next block comes. */
const BACKLOG = 2 * DEPOSITS * WEBHOOKS_EACH
/** Calls to Temporal that run at the same time, on both sides: the dispatcher's and the sealer's numbers. */
const DISPATCHES = 24
const STARTS = 16
const POLL_MS = 20
/** Budget of history events for a deposit that is first seen in a block. */
const BUDGET = 18
/** First account of Anvil. Anvil signs for it. */
const FAUCET = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'

/**
 * Measures deposits. Ours is chain watcher, deposit workflows, ledger, sealer, deliveries and an endpoint.
 */
export async function benchDeposits(context: BenchContext): Promise<Measurement[]> {
  const temporal = await startBenchTemporal(context)
  const ours = await startOurs(context, temporal)
  const floor = await startOwnFloor(context, temporal)
  let cost: Cost | undefined
  const measured = await alternate(
    ROUNDS,
    async (round) => {
      let figure = 0
      const work = async () => {
        figure = await ours.run()
      }
      if (round === 0) cost = await countCost(ours.sql, work)
      else await work()
      return figure
    },
    () => floor(),
  )
  return [
    {
      name: `deposits, block to last of ${WEBHOOKS_EACH} webhooks`,
      unit: '/s',
      against: 'floor: activities that do nothing',
      expected: EXPECTED,
      ...measured,
    },
    await historyLine(ours),
    ...(cost ? costLines(`a deposit with ${WEBHOOKS_EACH} webhooks`, cost, BLOCKS * DEPOSITS) : []),
  ]
}

interface Ours {
  readonly sql: Sql
  readonly client: Client
  /** Runs a round. @returns Deposits a second. */
  run(): Promise<number>
}

async function startOurs(context: BenchContext, temporal: BenchTemporal): Promise<Ours> {
  const client = await temporal.namespace('ours')
  const { sql, url } = await context.database({ max: 20 })
  const merchant = await createBenchMerchant(sql)
  const deposits = (ROUNDS + 1) * BLOCKS * DEPOSITS
  await merchant.watch('ethereum', deposits)
  const receiver = await startChild<{ port: number }>('./receiver.ts', null)
  context.onEnd(() => receiver.stop())
  await createBenchEndpoint(sql, merchant.id, `http://127.0.0.1:${receiver.facts.port}/`)
  const { networks, adapter, blocks } = await mineChain(context)
  let shown = blocks[0]
  const head = async (): Promise<BlockRef> => {
    if (!shown) throw new Error('The chain has no block')
    return shown
  }
  if (shown) await createCursor(sql, 'ethereum', shown)
  await startPlatform(context, {
    temporal,
    client,
    sql,
    url,
    networks,
    adapters: new Map([['ethereum', { ...adapter, head }]]),
    queues: [TASK_QUEUE.core, TASK_QUEUE.chain, TASK_QUEUE.webhooks],
  })
  await startChainWatcher(client.workflow, { network: 'ethereum' })

  let height = 0
  /** Shows the blocks with deposits, and as many empty ones as confirm the last of them. */
  async function run(): Promise<number> {
    const before = await countOf(sql, 'success')
    const started = performance.now()
    for (let block = 0; block < BLOCKS + CONFIRMATIONS - 1; block++) {
      shown = blocks[++height]
      await until(async () => {
        const [row] = await sql<{ ready: boolean }[]>`
          SELECT (SELECT height FROM chain_cursors) = ${shown?.height ?? 0}
             AND NOT EXISTS (SELECT 1 AS bench_poll FROM deposits WHERE workflow_started_at IS NULL)
             AND (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending') <= ${BACKLOG} AS ready`
        return row?.ready === true
      })
    }
    await until(async () => (await countOf(sql, 'success')) === before + BLOCKS * DEPOSITS)
    await until(async () => {
      const [row] = await sql<{ ready: boolean }[]>`
        SELECT NOT EXISTS (SELECT 1 AS bench_poll FROM webhook_deliveries WHERE status = 'pending')
           AND NOT EXISTS (SELECT 1 FROM events WHERE sequence IS NULL) AS ready`
      return row?.ready === true
    })
    const figure = (BLOCKS * DEPOSITS) / ((performance.now() - started) / 1_000)
    // Every workflow has ended except the watcher.
    await untilClosed(client, 1)
    return figure
  }
  return { sql, client, run }
}

async function countOf(sql: Sql, status: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*)::integer AS count, 1 AS bench_poll FROM deposits WHERE status = ${status}`
  return row?.count ?? 0
}

/** Mines a chain for all rounds. `blocks` begins with the block below the first deposit. */
async function mineChain(context: BenchContext) {
  const anvil = await startAnvil({
    port: await freePort(),
    logFile: join(context.directory, 'anvil.log'),
  })
  context.onEnd(() => anvil.stop())
  const token = await deployUsdt(anvil.rpc, anvil.chainId, FAUCET_PRIVATE_KEY)
  const networks = await loadNetworks(undefined, {
    ETHEREUM_RPC_URLS: anvil.rpc,
    ETHEREUM_USDT_CONTRACT: token,
    ETHEREUM_CONFIRMATIONS: String(CONFIRMATIONS),
    ETHEREUM_BLOCK_TIME: '1',
    ETHEREUM_POLL_INTERVAL: '100ms',
    BITCOIN_ENABLED: 'false',
  })
  const network = networks.get('ethereum')
  if (network?.family !== 'evm') throw new Error('ethereum is of the EVM family')
  const adapter: ChainAdapter = createEvmAdapter(network)
  context.onEnd(() => adapter.close())
  const pool = new Pool(anvil.rpc, { connections: 1 })
  const send = async (calls: readonly { method: string; params: readonly unknown[] }[]) => {
    const body = JSON.stringify(calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call })))
    const headers = { 'content-type': 'application/json' }
    const response = await pool.request({ method: 'POST', path: '/', headers, body })
    const answers = (await response.body.json()) as { error?: { message: string } }[]
    const failed = answers.find((answer) => answer.error)
    if (failed) throw new Error(`Anvil refused: ${failed.error?.message}`)
  }
  await send([{ method: 'evm_setAutomine', params: [false] }])
  const blocks = [await adapter.head()]
  let user = 0
  for (let round = 0; round <= ROUNDS; round++) {
    for (let block = 0; block < BLOCKS + CONFIRMATIONS - 1; block++) {
      if (block < BLOCKS) {
        await send(
          Array.from({ length: DEPOSITS }, (_, index) => ({
            method: 'eth_sendTransaction',
            params: [
              { from: FAUCET, gas: '0x186a0', ...payment(payeeOf(user++), index % 2 === 0 ? token : null) },
            ],
          })),
        )
      }
      await send([{ method: 'evm_mine', params: [] }])
      blocks.push(await adapter.head())
    }
  }
  await pool.close()
  return { networks, adapter, blocks }
}

function payment(payee: string, token: string | null): object {
  const to = `0x${payee}` as const
  return token === null
    ? { to, value: '0x38d7ea4c68000' }
    : {
        to: token,
        data: encodeFunctionData({ abi: USDT_ABI, functionName: 'transfer', args: [to, 2_500_000n] }),
      }
}

/** Starts the floor. @returns A function that runs a round and returns deposits a second. */
async function startOwnFloor(context: BenchContext, temporal: BenchTemporal): Promise<() => Promise<number>> {
  const client = await temporal.namespace('floor')
  const gate = createWorkflowGate(client.workflow)
  // Like the real activity, it knows the height before the signal. So an early signal wakes no workflow in
  // vain.
  const reached = new Set<string>()
  // Like the real activities, a step that runs twice has its effect once.
  const confirmed = new Set<string>()
  const credited = new Set<string>()
  const deliveries = createDeliveryStarter(client)
  await startFloor(context, temporal, client, {
    [TASK_QUEUE.core]: {
      async confirmDeposit(id: string): Promise<ConfirmResult> {
        if (!reached.has(id)) {
          return { kind: 'waiting', stage: 'unconfirmed', blocks: CONFIRMATIONS - 1, blockTimeSeconds: 1 }
        }
        if (!confirmed.has(id)) deliveries.add(WEBHOOKS.confirmed)
        confirmed.add(id)
        return { kind: 'confirmed', screen: false }
      },
      async creditDeposit(id: string): Promise<CreditOutcome> {
        if (!credited.has(id)) deliveries.add(WEBHOOKS.credited)
        credited.add(id)
        return { kind: 'credited' }
      },
      async holdDeposit(): Promise<CreditOutcome> {
        return { kind: 'held' }
      },
    },
    [TASK_QUEUE.webhooks]: {
      async attemptWebhookDelivery(): Promise<AttemptOutcome> {
        deliveries.arrived()
        return { kind: 'delivered', statusCode: 204 }
      },
      async cancelWebhookDelivery() {},
    },
  })
  const txid = `0x${'ab'.repeat(32)}`
  let number = 0
  return async () => {
    const before = credited.size
    const started = performance.now()
    const blocks: number[][] = []
    for (let block = 0; block < BLOCKS + CONFIRMATIONS - 1; block++) {
      const deposits = block < BLOCKS ? Array.from({ length: DEPOSITS }, () => number++) : []
      blocks.push(deposits)
      deliveries.add(deposits.length * WEBHOOKS.seen)
      await mapConcurrently(deposits, DISPATCHES, (index) =>
        startDeposit(client.workflow, {
          id: `dep_${index}`,
          merchantId: 'mer_1',
          network: 'ethereum',
          coin: 'usdt',
          txid,
          index,
          title: `2.5 usdt for user-${index}`,
        }),
      )
      const deep = blocks[block - CONFIRMATIONS + 1] ?? []
      for (const index of deep) reached.add(`dep_${index}`)
      await mapConcurrently(deep, DISPATCHES, (index) =>
        gate.signal(depositId('ethereum', txid, index), 'heightReached'),
      )
      await until(async () => deliveries.open() <= BACKLOG)
    }
    await until(async () => credited.size === before + BLOCKS * DEPOSITS && deliveries.open() === 0)
    const figure = (BLOCKS * DEPOSITS) / ((performance.now() - started) / 1_000)
    await untilClosed(client, 0)
    return figure
  }
}

/**
 * Starts delivery workflows as the sealer does: a fixed number at the same time, in the order of the
 * requests.
 */
function createDeliveryStarter(client: Client) {
  let asked = 0
  let begun = 0
  let done = 0
  let lanes = 0
  async function lane(): Promise<void> {
    lanes += 1
    while (begun < asked) {
      const number = begun++
      await startWebhookDelivery(client.workflow, {
        id: `whd_${number}`,
        eventId: `evt_${number}`,
        endpointId: 'whe_1',
        merchantId: 'mer_1',
        title: 'deposit.status_changed to 127.0.0.1',
      })
    }
    lanes -= 1
  }
  return {
    add(count: number): void {
      asked += count
      for (let free = Math.min(STARTS - lanes, asked - begun); free > 0; free--) void lane()
    },
    arrived(): void {
      done += 1
    },
    open: () => asked - done,
  }
}

async function until(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await sleep(POLL_MS)
}

/** Measures the longest of some real histories. */
async function historyLine({ sql, client }: Ours): Promise<Measurement> {
  const rows = await sql<{ txid: string; output_index: number }[]>`
    SELECT txid, output_index FROM deposits ORDER BY id DESC LIMIT 30`
  const lengths = await Promise.all(
    rows.map(async (row) => {
      const handle = client.workflow.getHandle(depositId('ethereum', row.txid, row.output_index))
      return (await handle.fetchHistory()).events?.length ?? Number.NaN
    }),
  )
  const most = Math.max(...lengths)
  return {
    name: 'history events, deposit first seen in a block',
    unit: '',
    ours: most,
    against: 'budget',
    reference: BUDGET,
    ratio: BUDGET / most,
    expected: 1,
  }
}
