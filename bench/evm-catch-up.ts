/**
 * Measures blocks a second while catching up with an EVM chain, beside fetching the same data without using
 * it. Both read from a process that repeats the node's recorded answers on a core of its own.
 */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Pool } from 'undici'
import { encodeFunctionData } from 'viem'
import { advanceChain } from '../activities/chain/advance-chain.js'
import { createEvmAdapter } from '../chains/evm/create-evm-adapter.js'
import { createAddressFilter } from '../db/chain/address-filter.js'
import { createCursor } from '../db/networks/chain-cursor.js'
import { findNetwork } from '../domain/chain/network.js'
import { type Anvil, FAUCET_PRIVATE_KEY, startAnvil } from '../local/parts/anvil.js'
import { freePort } from '../local/parts/free-port.js'
import { jsonRpc } from '../local/parts/json-rpc.js'
import { deployUsdt, USDT_ABI } from '../local/parts/usdt.js'
import { loadNetworks } from '../networks/load-networks.js'
import { alternate } from './alternate.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import type { Measurement } from './measurement.js'
import { createBenchMerchant, payeeOf } from './merchant.js'
import { pinApart } from './pin.js'
import { type PonderRun, runPonder } from './ponder.js'

const EXPECTED = 0.7
const ROUNDS = 5
const BLOCKS = 1_000
const TRANSFERS = 20
const ADDRESSES = 10_000
/** One block in this many pays a user. Most of what the scan reads belongs to others. */
const HIT_EVERY = 10
/**
 * Settings of the bare fetch: blocks in a batch, and batches under way. The fastest pair is the reference.
 */
const SWEEP = [4, 8, 16, 32].flatMap((blocks) => [1, 2, 4].map((batches) => ({ blocks, batches })))
const SWEEP_BLOCKS = 200
/** Newest blocks that ponder does not count as settled. */
const PONDER_UNSETTLED = 30
/** First account of Anvil. Anvil signs for it. */
const FAUCET = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'

/** Measures a new scan of the same chain in each round: adapter, matching, and the writing transaction. */
export async function benchEvmCatchUp(context: BenchContext): Promise<Measurement[]> {
  const { sql } = await context.database()
  const merchant = await createBenchMerchant(sql)
  await merchant.watch('ethereum', ADDRESSES)
  const anvil = await startAnvil({
    port: await freePort(),
    logFile: join(context.directory, 'anvil.log'),
  })
  context.onEnd(() => anvil.stop())
  const token = await deployUsdt(anvil.rpc, anvil.chainId, FAUCET_PRIVATE_KEY)
  const networks = await loadNetworks(undefined, {
    ETHEREUM_RPC_URLS: anvil.rpc,
    ETHEREUM_USDT_CONTRACT: token,
  })
  const network = findNetwork(networks, 'ethereum')
  if (network.family !== 'evm') throw new Error('ethereum is of the EVM family')
  const started = createEvmAdapter(network)
  const start = await started.head()
  await started.close()
  context.progress(`  … ${BLOCKS} blocks of ${TRANSFERS} token transfers`)
  await mine(anvil, token)

  const node = await startChild<{ port: number; pid: number }>('./evm-node.ts', { rpc: anvil.rpc })
  context.onEnd(() => node.stop())
  const apart = await pinApart(context, node.facts.pid)
  const rpc = `http://127.0.0.1:${node.facts.port}`
  const bare = await createBareFetch(context, rpc, start.height + 1)
  const adapter = createEvmAdapter({ ...network, rpcUrls: [rpc] })
  context.onEnd(() => adapter.close())
  const filter = createAddressFilter(network.name)
  const measured = await alternate(
    ROUNDS,
    async () => {
      await sql`TRUNCATE deposits, deposit_inputs, utxos, chain_blocks, chain_cursors, events CASCADE`
      await createCursor(sql, network.name, start)
      const seconds = await timed(() => advanceChain(sql, adapter, { filter }))
      const [row] = await sql<{ found: number }[]>`SELECT count(*)::integer AS found FROM deposits`
      if (row?.found !== BLOCKS / HIT_EVERY) throw new Error(`The scan found ${row?.found} deposits`)
      return BLOCKS / seconds
    },
    async () => BLOCKS / (await timed(() => bare.fetch(BLOCKS))),
  )
  context.progress('  … ponder')
  const ponder = await runPonder(context, {
    rpc,
    chainId: anvil.chainId,
    token,
    from: start.height + 1,
    to: start.height + BLOCKS - PONDER_UNSETTLED,
    own: Array.from({ length: ADDRESSES }, (_, user) => `0x${payeeOf(user)}`),
  })
  return [
    {
      name: 'EVM catch-up',
      unit: 'blocks/s',
      against: `bare fetch, ${bare.shape.batches} × ${bare.shape.blocks} blocks under way`,
      expected: EXPECTED,
      ...measured,
      ...(apart ? {} : { note: 'the recorded node shares our cores' }),
    },
    againstPonder(measured.ours, ponder),
  ]
}

/** Compares with one backfill by ponder, which reads logs alone: neither receipts nor traces. */
function againstPonder(ours: number, ponder: PonderRun): Measurement {
  const line = { name: 'EVM catch-up', unit: 'blocks/s', ours, against: 'ponder 0.16', expected: null }
  if (ponder.kind === 'unavailable') {
    return { ...line, reference: null, ratio: null, note: `not measured: ${ponder.reason}` }
  }
  const blocks = BLOCKS - PONDER_UNSETTLED
  if (ponder.stored !== blocks / HIT_EVERY) throw new Error(`ponder stored ${ponder.stored} transfers`)
  const reference = blocks / ponder.seconds
  return { ...line, reference, ratio: ours / reference, note: 'without its limit of requests' }
}

async function mine(anvil: Anvil, token: `0x${string}`): Promise<void> {
  await jsonRpc(anvil.rpc, 'evm_setAutomine', [false])
  const pool = new Pool(anvil.rpc, { connections: 1 })
  for (let block = 0; block < BLOCKS; block++) {
    const transfers = Array.from({ length: TRANSFERS }, (_, index) => {
      const hit = index === 0 && block % HIT_EVERY === 0
      const to = `0x${hit ? payeeOf(block) : randomBytes(20).toString('hex')}` as const
      const data = encodeFunctionData({ abi: USDT_ABI, functionName: 'transfer', args: [to, 1_000_000n] })
      return call('eth_sendTransaction', [{ from: FAUCET, to: token, data, gas: '0x186a0' }], index)
    })
    await post(pool, transfers)
    await post(pool, [call('evm_mine', [], 0)])
  }
  await pool.close()
}

interface Shape {
  readonly blocks: number
  readonly batches: number
}

/** Finds the fastest way to fetch everything that the scan fetches. */
async function createBareFetch(
  context: BenchContext,
  rpc: string,
  from: number,
): Promise<{ readonly shape: Shape; fetch(count: number): Promise<void> }> {
  const pool = new Pool(rpc, { connections: 8 })
  context.onEnd(() => pool.destroy())
  const fetch = async (count: number, shape: Shape): Promise<void> => {
    let next = from
    const end = from + count
    await Promise.all(
      Array.from({ length: shape.batches }, async () => {
        while (next < end) {
          const first = next
          next = Math.min(end, first + shape.blocks)
          const heights = Array.from(
            { length: next - first },
            (_, offset) => `0x${(first + offset).toString(16)}`,
          )
          await post(
            pool,
            heights.flatMap((height, index) => [
              call('eth_getBlockByNumber', [height, false], index * 3),
              call('eth_getBlockReceipts', [height], index * 3 + 1),
              call('trace_block', [height], index * 3 + 2),
            ]),
          )
        }
      }),
    )
  }
  // The first reading records the answers.
  await fetch(BLOCKS, { blocks: 32, batches: 1 })
  let best: { shape: Shape; seconds: number } | undefined
  for (const shape of SWEEP) {
    const seconds = await timed(() => fetch(SWEEP_BLOCKS, shape))
    if (!best || seconds < best.seconds) best = { shape, seconds }
  }
  if (!best) throw new Error('Nothing was swept')
  const { shape } = best
  return { shape, fetch: (count) => fetch(count, shape) }
}

const call = (method: string, params: readonly unknown[], id: number) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
})

async function post(pool: Pool, calls: readonly ReturnType<typeof call>[]): Promise<void> {
  const response = await pool.request({
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(calls),
  })
  const answers = JSON.parse(await response.body.text()) as {
    readonly error?: { readonly message: string }
  }[]
  const failed = answers.find((answer) => answer.error)
  if (failed || answers.length !== calls.length)
    throw new Error(`The node refused: ${failed?.error?.message}`)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}
