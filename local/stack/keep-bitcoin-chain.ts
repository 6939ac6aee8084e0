/**
 * Keeps a regtest chain over restarts of its node, because btcd discards a regtest chain whenever it starts.
 * Each mined block is written to a file, and a node gets the blocks that it forgot before any client may
 * reach it.
 */

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Bitcoin, BitcoinOptions } from '../parts/bitcoin.js'
import { freePort } from '../parts/free-port.js'
import type { Say } from '../parts/say.js'
import { type Gate, openGate } from './open-gate.js'

const POLL_MS = 100
/** Milliseconds after which a restore is reported. A block takes about one millisecond. */
const LONG_MS = 2_000

export interface KeptChain<Flavour extends string> {
  /**
   * Starts the node, also after it ended. It answers on the port of the options as soon as it has the chain.
   */
  start(): Promise<Bitcoin<Flavour>>
  /** Starts mining, a block every so many milliseconds. 0 mines none. */
  mineEvery(ms: number): void
  stop(): void
}

interface KeptBlock {
  readonly hash: string
  readonly raw: string
}

/**
 * Creates the keeper of a chain.
 *
 * @param startNode - Starts the node itself, such as `startBitcoin`.
 * @param file - One line for each block: height, hash, raw block in hex. A height that comes again is a
 * reorganisation.
 */
export function keepBitcoinChain<Flavour extends string>(
  startNode: (options: BitcoinOptions, say: Say) => Promise<Bitcoin<Flavour>>,
  options: BitcoinOptions,
  file: string,
  say: Say,
): KeptChain<Flavour> {
  const stopping = new AbortController()
  const blocks = readBlocks(file)
  const mempool = new Map<string, string>()
  let node: Bitcoin<Flavour> | null = null
  let everyMs = 0
  let following = false
  let gate: Gate | undefined

  async function remember(from: Bitcoin<Flavour>): Promise<void> {
    const tip = await heightOf(from)
    let turn = Math.min(tip, blocks.length - 1)
    while (turn > 0 && blocks[turn]?.hash !== (await from.call('getblockhash', turn))) turn -= 1
    for (let height = Math.max(turn, 0) + 1; height <= tip; height += 1) {
      const hash = z.string().parse(await from.call('getblockhash', height))
      const raw = z.string().parse(await from.call('getblock', hash, 0))
      appendFileSync(file, `${height} ${hash} ${raw}\n`)
      blocks[height] = { hash, raw }
    }
    blocks.length = Math.min(blocks.length, tip + 1)
    const txids = new Set(z.array(z.string()).parse(await from.call('getrawmempool')))
    for (const txid of mempool.keys()) if (!txids.has(txid)) mempool.delete(txid)
    for (const txid of txids) {
      if (mempool.has(txid)) continue
      mempool.set(txid, z.string().parse(await from.call('getrawtransaction', txid, 0)))
    }
  }

  async function follow(): Promise<void> {
    let mined = Date.now()
    while (!stopping.signal.aborted) {
      try {
        if (node) {
          await remember(node)
          if (everyMs > 0 && Date.now() - mined >= everyMs) {
            await node.mine(1)
            mined = Date.now()
            await remember(node)
          }
        }
      } catch {
        // The node is restarting, or a transaction left the mempool meanwhile.
      }
      await sleep(Math.min(POLL_MS, everyMs || POLL_MS), undefined, { signal: stopping.signal }).catch(
        () => {},
      )
    }
  }

  async function restore(fresh: Bitcoin<Flavour>): Promise<void> {
    const began = Date.now()
    const known = await heightOf(fresh)
    const missing = blocks.length - 1 - known
    for (let height = known + 1; height < blocks.length; height += 1) {
      // The answer says little (null, or a word such as "duplicate"). The height shows the result.
      await fresh.call('submitblock', blocks[height]?.raw).catch(() => {})
    }
    for (const raw of mempool.values()) await fresh.call('sendrawtransaction', raw).catch(() => {})
    if (missing > 0 && Date.now() - began > LONG_MS) say(`${fresh.name}: ${missing} blocks given back to it`)
  }

  return {
    async start() {
      node = null
      gate ??= await openGate(options.port)
      gate.shut()
      const port = await freePort()
      const started = await startNode({ ...options, port }, say)
      await restore(started)
      gate.open(port)
      node = started
      if (!following) {
        following = true
        void follow()
      }
      return { ...started, rpc: started.rpc.replace(/:\d+$/, `:${options.port}`) }
    },
    mineEvery(ms) {
      everyMs = ms
    },
    stop() {
      stopping.abort()
      gate?.close()
    },
  }
}

async function heightOf(node: Pick<Bitcoin, 'call'>): Promise<number> {
  return z.number().parse(await node.call('getblockcount'))
}

function readBlocks(file: string): KeptBlock[] {
  const blocks: KeptBlock[] = []
  if (!existsSync(file)) return blocks
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [height, hash, raw] = line.split(' ')
    // The last line may be incomplete after a kill.
    if (!height || !hash || !raw || !Number.isInteger(Number(height))) continue
    blocks[Number(height)] = { hash, raw }
    blocks.length = Number(height) + 1
  }
  return blocks
}
