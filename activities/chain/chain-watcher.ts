/**
 * Defines the activity of the chain watcher: one long, heartbeating run of the loop that follows a chain.
 */

import { CancelledFailure, Context } from '@temporalio/activity'
import type { ChainAdapter } from '../../chains/adapter.js'
import type { Sql } from '../../db/connect.js'
import type { Logger } from '../../telemetry/logger.js'
import type { ChainWatcherInput } from '../../temporal/inputs.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'
import { fastForwardAddresses } from './fast-forward-addresses.js'
import { follow } from './follow.js'

export interface ChainWatcherDependencies {
  readonly sql: Sql
  /** Returns the adapter of an enabled network. @throws KeyturnError `UNSUPPORTED_NETWORK`. */
  readonly adapter: (network: string) => ChainAdapter
  readonly gate: WorkflowGate
  readonly log: Logger
  /** Aborted when the process is asked to stop, so that another one takes over at once. */
  readonly stopping: AbortSignal
  /** See `FastForwardOptions`. */
  readonly addressGap: number
}

/**
 * Length of one run, in milliseconds. Then the workflow continues as new, so that its history stays short.
 */
const RUN_MS = 3_600_000
const HEARTBEAT_MS = 2_000
/**
 * Time without a step after which a loop hangs. Its heartbeats cease, and Temporal gives the chain to another
 * attempt.
 */
const HANGS_AFTER_MS = 120_000
/** Time that the step under way has to end. */
const STEP_GRACE_MS = 3_000

export interface ChainWatcherActivities {
  /** Follows the chain for an hour, or until this worker stops. */
  followChain(input: ChainWatcherInput): Promise<void>
}

/** Creates the activities of the workflow `chainWatcher`. */
export function createChainWatcherActivities(dependencies: ChainWatcherDependencies): ChainWatcherActivities {
  const { log } = dependencies
  /** Accounts whose counter this process has compared with the chain, by network. */
  const compared = new Map<string, Set<string>>()

  return {
    async followChain({ network }) {
      const context = Context.current()
      const adapter = dependencies.adapter(network)
      let height: number | null = null
      let steppedAt = Date.now()
      const hung = new AbortController()
      const signal = AbortSignal.any([context.cancellationSignal, dependencies.stopping, hung.signal])
      const heart = setInterval(() => {
        if (Date.now() - steppedAt < HANGS_AFTER_MS) context.heartbeat({ height })
        else hung.abort()
      }, HEARTBEAT_MS)
      try {
        const known = compared.get(network) ?? new Set<string>()
        compared.set(network, known)
        const loop = follow({
          sql: dependencies.sql,
          adapter,
          gate: dependencies.gate,
          log,
          signal,
          forward: () =>
            fastForwardAddresses(dependencies.sql, adapter, { gap: dependencies.addressGap, known }),
          until: Date.now() + RUN_MS,
          onStep(now) {
            height = now ?? height
            steppedAt = Date.now()
          },
        })
        await Promise.race([loop, ended(signal)])
        if (hung.signal.aborted) throw new Error(`Following ${network} hangs; starting over`)
      } finally {
        clearInterval(heart)
      }
      if (context.cancellationSignal.aborted) throw new CancelledFailure('The watcher was cancelled')
    },
  }
}

/**
 * Lets a process stop although a step hangs. Once the next watcher has begun, the step can write nothing
 * more.
 */
function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const leave = () => setTimeout(resolve, STEP_GRACE_MS).unref()
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  })
}
