/** Makes one check of the ledger in one read-only snapshot of the database. */

import { type BooksCheckName, Findings } from '../../../domain/books/difference.js'
import type { Networks } from '../../../domain/chain/network.js'
import { formatDigits } from '../../../domain/money.js'
import type { Sql } from '../../connect.js'
import { inSnapshot } from '../../in-snapshot.js'
import { readDecimals } from '../../networks/read-decimals.js'
import { BOOKS_CHECK } from './books-checks.js'

/** Time after which something that the platform does at once, such as sealing an event, is late. */
const SOON_MS = 900_000
/** Limit of a statement, and of the wait between two. */
const LIMITS = { statementMs: 3_600_000, idleMs: 300_000 } as const

export interface CheckOptions {
  /** Networks to which the run is limited. `null`: all. */
  readonly networks: readonly string[] | null
  /** Ends the check, also a statement that is running. */
  readonly signal?: AbortSignal
  /** Called after each page with the rows that were examined so far. */
  readonly progress?: (examined: number) => void
}

export interface CheckResult {
  readonly findings: Findings
  readonly examined: number
}

/**
 * Makes a check. All of its rows are of one snapshot, so that a change between two pages is no difference. A check
 * that was interrupted therefore begins again.
 */
export async function runCheck(
  sql: Sql,
  networks: Networks,
  merchantId: string,
  name: BooksCheckName,
  options: CheckOptions,
): Promise<CheckResult> {
  const findings = new Findings(options.networks)
  let examined = 0
  await inSnapshot(sql, { ...LIMITS, signal: options.signal }, async (tx) => {
    const decimalsOf = await readDecimals(tx, networks)
    const context = {
      merchantId,
      soonMs: SOON_MS,
      amount: (network: string, coin: string, units: string) =>
        formatDigits(units, decimalsOf(network, coin)),
    }
    for await (const rows of BOOKS_CHECK[name].examine(tx, context, findings)) {
      examined += rows
      options.signal?.throwIfAborted()
      options.progress?.(examined)
    }
  })
  return { findings, examined }
}
