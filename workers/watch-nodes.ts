/** Checks every node of every network at an interval, logs nodes that must not be used, and stores the reports. */

import type { ChainAdapter } from '../chains/adapter.js'
import type { NodeReport } from '../chains/node-report.js'
import type { Sql } from '../db/connect.js'
import { saveNodeReports } from '../db/operations/save-node-reports.js'
import type { Logger } from '../telemetry/logger.js'

const INTERVAL_MS = 15_000

export interface NodeWatch {
  /** Promise that resolves after the first check of every node. It never rejects. */
  readonly checked: Promise<void>
  stop(): void
}

/** Starts the checks. `/readyz` and `/metrics` show the reports that it stores. */
export function watchNodes(
  sql: Sql,
  adapters: ReadonlyMap<string, ChainAdapter>,
  log: Logger,
  intervalMs = INTERVAL_MS,
): NodeWatch {
  const known = new Map<string, string>()
  let checking: Promise<void> | null = null

  async function check(adapter: ChainAdapter): Promise<void> {
    const network = adapter.network.name
    try {
      const reports = await adapter.inspect()
      for (const report of reports) logChange(network, report)
      await saveNodeReports(sql, network, reports)
    } catch (error) {
      log.warn({ network, err: error }, 'The state of the nodes could not be stored')
    }
  }

  function logChange(network: string, { endpoint, state, reason }: NodeReport): void {
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

  /** Checks every node. Rounds never overlap, however long a node takes. */
  function round(): Promise<void> {
    checking ??= Promise.all([...adapters.values()].map(check)).then(() => {
      checking = null
    })
    return checking
  }

  const checked = round()
  const timer = setInterval(() => void round(), intervalMs)
  return { checked, stop: () => clearInterval(timer) }
}
