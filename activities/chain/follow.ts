/**
 * Follows one chain until it is stopped: blocks, mempool, fees, health, and the workflows that rows ask for.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { type BlockRef, byAdapterFamily, type ChainAdapter } from '../../chains/adapter.js'
import { createAddressFilter } from '../../db/chain/address-filter.js'
import { pruneBlocks } from '../../db/chain/prune-blocks.js'
import { takeWatch, type Watch, WatchLost } from '../../db/chain/take-watch.js'
import type { Sql } from '../../db/connect.js'
import type { ChainCursor } from '../../db/networks/chain-cursor.js'
import { type ChainHealth, setChainHealth } from '../../db/networks/set-chain-health.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Logger } from '../../telemetry/logger.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'
import { advanceChain } from './advance-chain.js'
import { compareAccounts, createAccountLook } from './compare-accounts.js'
import { createDispatcher } from './create-dispatcher.js'
import { dispatchPending } from './dispatch-pending.js'
import { findOvertaken } from './find-overtaken.js'
import { createCounterKeeper } from './keep-counters.js'
import { lookAtMempool } from './look-at-mempool.js'
import { refreshFees } from './refresh-fees.js'

export interface FollowOptions {
  readonly sql: Sql
  readonly adapter: ChainAdapter
  readonly gate: WorkflowGate
  readonly log: Logger
  /** Ends the loop after the step under way. */
  readonly signal: AbortSignal
  /** Unix milliseconds after which the loop ends. */
  readonly until: number
  /** Compares address counters with the chain; see `fastForwardAddresses`. */
  readonly forward: () => Promise<number>
  /** Called at every step, so that a hanging loop is noticed. */
  readonly onStep?: (height: number | null) => void
}

/** Interval of polling fees, and of checking absent transactions. */
const FEES_EVERY_MS = 10_000
/** Interval of comparing twenty wallets and twenty of all addresses: all of 10,000 within nine hours. */
const COMPARE_EVERY_MS = 60_000
/** Interval of pruning. In this time no chain makes more blocks than one pruning deletes. */
const PRUNE_EVERY_MS = 300_000
/** Interval of writing unchanged health, so that a stale row shows a dead watcher. */
const HEALTH_EVERY_MS = 5_000
/** Number of blocks behind the head from which on a chain is shown as catching up. */
const BEHIND_BLOCKS = 20
const MAX_BACKOFF_MS = 5_000
/**
 * Failures in a row after which a deposit is recorded without its details, because its credit matters more.
 */
const TOLERANT_AFTER = 5

/**
 * Follows the chain until it is stopped, its time is over, or another watcher follows it. Errors of the node
 * and the database are shown as health, and the step is tried again.
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { sql, adapter, gate, log, signal } = options
  const { network } = adapter
  const dispatcher = createDispatcher(() => dispatchPending(sql, network, gate), log)
  const health = createHealth(sql, network.name)
  const filter = createAddressFilter(network.name)
  let watch: Watch | null = null
  let seen: ReadonlySet<string> = new Set()
  let feesAt = 0
  let prunedAt = 0
  let comparedAt = Date.now()
  const looks = [createAccountLook('wallets'), createAccountLook()]
  let failures = 0
  let mempoolNote: string | null = null
  const step = (cursor: ChainCursor | null) => options.onStep?.(cursor?.height ?? null)

  const counters = createCounterKeeper(sql, network.name, options.forward, log, () => step(null))

  while (!signal.aborted && Date.now() < options.until) {
    try {
      // This comes before any write: how long the database was silent says whether it may be a restored
      // backup.
      await counters.step()
      watch ??= await takeWatch(sql, network.name)
      const current = watch
      const { head, cursor, rolledBack } = await advanceChain(sql, adapter, {
        signal,
        watch,
        filter,
        onWaiting: () => step(null),
        tolerant: failures >= TOLERANT_AFTER,
        onHead: async (now, at) => {
          step(at)
          if (now.height - at.height > BEHIND_BLOCKS) await health.set(catchingUp(now, at))
        },
        onUntraced: (from, to) =>
          log.error(
            { network: network.name, from, to },
            'No node keeps the traces of these blocks, so transfers by contracts in them were not seen',
          ),
        onProgress: (at) => {
          step(at)
          dispatcher.kick()
        },
      })
      if (rolledBack > 0) {
        log.warn({ network: network.name, blocks: rolledBack }, 'Blocks left the chain and were taken back')
        // What went back to the mempool was seen there before.
        seen = new Set()
      }
      failures = 0
      dispatcher.kick()
      if (signal.aborted) break
      // The mempool and fees only show and speed up. The books follow blocks alone.
      try {
        if (head.height <= cursor.height) {
          seen = await lookAtMempool(sql, adapter, seen, watch, filter)
          dispatcher.kick()
        }
        if (!signal.aborted && Date.now() - feesAt >= FEES_EVERY_MS) {
          await refreshFees(sql, adapter)
          await byAdapterFamily(adapter, {
            utxo: () => undefined,
            evm: (evm) => findOvertaken(sql, evm, current),
          })
          feesAt = Date.now()
        }
        if (!signal.aborted && Date.now() - prunedAt >= PRUNE_EVERY_MS) {
          await pruneBlocks(sql, network.name, watch)
          prunedAt = Date.now()
        }
        if (!signal.aborted && Date.now() - comparedAt >= COMPARE_EVERY_MS) {
          comparedAt = Date.now()
          await byAdapterFamily(adapter, {
            utxo: () => undefined,
            evm: async (evm) => {
              for (const look of looks) await compareAccounts(sql, evm, look, current)
            },
          })
        }
        mempoolNote = null
      } catch (error) {
        if (error instanceof WatchLost) throw error
        mempoolNote = `Mempool, fees or balances cannot be read: ${explain(error)}`
        log.warn({ network: network.name, err: error }, 'The mempool, the fees or balances could not be read')
      }
      if (signal.aborted) break
      await health.set(healthOf(head, cursor, mempoolNote))
      step(cursor)
    } catch (error) {
      if (error instanceof WatchLost) {
        log.warn({ network: network.name, err: error }, 'Following the chain ends here')
        break
      }
      if (signal.aborted) break
      failures += 1
      log.warn(
        { network: network.name, failures, err: error },
        'Following the chain failed; it is tried again',
      )
      await health.set({ headHeight: null, health: 'degraded', note: explain(error) }).catch(() => {})
      step(null)
    }
    const pause = failures === 0 ? network.pollIntervalMs : Math.min(MAX_BACKOFF_MS, 250 * 2 ** failures)
    await sleep(pause, undefined, { signal }).catch(() => {})
  }
  await dispatcher.idle()
}

function catchingUp(head: BlockRef, cursor: ChainCursor): ChainHealth {
  const behind = head.height - cursor.height
  return { headHeight: head.height, health: 'degraded', note: `${behind} blocks behind, catching up` }
}

function healthOf(head: BlockRef, cursor: ChainCursor, mempoolNote: string | null): ChainHealth {
  if (head.height < cursor.height) {
    const note = `The node is at block ${head.height}, ${cursor.height - head.height} below the last one seen; waiting for it`
    return { headHeight: head.height, health: 'degraded', note }
  }
  return { headHeight: head.height, health: mempoolNote === null ? 'ok' : 'degraded', note: mempoolNote }
}

/**
 * Returns the message of errors for people only: others may carry addresses of nodes with their passwords.
 */
function explain(error: unknown): string {
  return error instanceof KeyturnError
    ? error.message
    : 'Following the chain failed; the log of the worker says why'
}

/** Writes health when it changes, and at intervals when it does not. */
function createHealth(sql: Sql, network: string) {
  let last = ''
  let writtenAt = 0
  return {
    async set(health: ChainHealth): Promise<void> {
      const text = JSON.stringify(health)
      if (text === last && Date.now() - writtenAt < HEALTH_EVERY_MS) return
      await setChainHealth(sql, network, health)
      last = text
      writtenAt = Date.now()
    },
  }
}
