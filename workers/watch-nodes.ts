/** Looks at every node of every network now and then: what must not be used is logged, and told to `/readyz` and `/metrics`. */

import type { ChainAdapter } from '../chains/adapter.js'
import type { NodeReport } from '../chains/node-report.js'
import type { Sql } from '../db/connect.js'
import { saveNodeReports } from '../db/operations/save-node-reports.js'
import type { Logger } from '../telemetry/logger.js'

const INTERVAL_MS = 15_000

export interface NodeWatch {
  /** Resolves after the first look at every node; it never rejects. */
  readonly looked: Promise<void>
  stop(): void
}

/** Begins to look. */
export function watchNodes(
  sql: Sql,
  adapters: ReadonlyMap<string, ChainAdapter>,
  log: Logger,
  intervalMs = INTERVAL_MS,
): NodeWatch {
  const known = new Map<string, string>()
  let looking: Promise<void> | null = null

  async function look(adapter: ChainAdapter): Promise<void> {
    const network = adapter.network.name
    try {
      const reports = await adapter.inspect()
      for (const report of reports) tell(network, report)
      await saveNodeReports(sql, network, reports)
    } catch (error) {
      log.warn({ network, err: error }, 'The state of the nodes could not be kept')
    }
  }

  function tell(network: string, { endpoint, state, reason }: NodeReport): void {
    const key = `${network} ${endpoint}`
    const now = `${state} ${reason ?? ''}`
    const before = known.get(key)
    known.set(key, now)
    if (before === now) return
    if (state === 'ok') {
      if (before !== undefined) log.info({ network, endpoint }, 'A node may be used again')
    } else if (state === 'unreachable') {
      log.warn({ network, endpoint, reason }, 'A node cannot be reached')
    } else {
      log.error({ network, endpoint, state, reason }, 'A node is not used')
    }
  }

  /** One round at a time, however long a node takes. */
  function round(): Promise<void> {
    looking ??= Promise.all([...adapters.values()].map(look)).then(() => {
      looking = null
    })
    return looking
  }

  const looked = round()
  const timer = setInterval(() => void round(), intervalMs)
  return { looked, stop: () => clearInterval(timer) }
}
