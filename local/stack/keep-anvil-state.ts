/**
 * Keeps Anvil's chain on disk. Anvil itself writes its file in place, so a kill in that moment would lose
 * everything.
 */

import { renameSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { jsonRpc } from '../parts/json-rpc.js'

const POLL_MS = 150
/** Milliseconds between two writes for empty blocks, which are worth little. */
const IDLE_MS = 5_000
/** Pause after a write, in durations of that write. Writing takes longer as the chain grows. */
const SHARE = 10

const quantity = z.string().transform(Number)

export interface KeptState {
  /** Writes the blocks that are not written yet, and ends. */
  stop(): Promise<void>
}

/**
 * Writes the chain to `file` as soon as a block with transactions is mined. The file is replaced at once.
 *
 * @param file - The file for `anvil --load-state`.
 */
export function keepAnvilState(rpc: string, file: string): KeptState {
  const stopping = new AbortController()
  let written = -1

  async function dump(): Promise<void> {
    const [height, dumped] = [
      quantity.parse(await jsonRpc(rpc, 'eth_blockNumber', [])),
      z.string().parse(await jsonRpc(rpc, 'anvil_dumpState', [])),
    ]
    const temporary = `${file}.tmp`
    writeFileSync(temporary, gunzipSync(Buffer.from(dumped.slice(2), 'hex')), { mode: 0o600 })
    renameSync(temporary, file)
    written = height
  }

  async function hasTransactions(from: number, to: number): Promise<boolean> {
    for (let height = from; height <= to; height += 1) {
      const count = await jsonRpc(rpc, 'eth_getBlockTransactionCountByNumber', [`0x${height.toString(16)}`])
      if (count !== null && quantity.parse(count) > 0) return true
    }
    return false
  }

  async function follow(): Promise<void> {
    let looked = -1
    let idleSince = Date.now()
    while (!stopping.signal.aborted) {
      let pause = POLL_MS
      try {
        const height = quantity.parse(await jsonRpc(rpc, 'eth_blockNumber', []))
        // After a restart from an older state the chain is shorter than the blocks seen so far.
        if (height < looked) looked = height - 1
        const due = height !== written && Date.now() - idleSince > IDLE_MS
        if (height > looked && ((await hasTransactions(looked + 1, height)) || due)) {
          const began = Date.now()
          await dump()
          idleSince = Date.now()
          pause = Math.max(POLL_MS, (idleSince - began) * SHARE)
        }
        looked = height
      } catch {
        // Anvil is restarting.
      }
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  const following = follow()
  return {
    async stop() {
      stopping.abort()
      await following
      await dump().catch(() => {})
    },
  }
}
