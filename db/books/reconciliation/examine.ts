/** Makes one check of the ledger in a transaction of the caller, and collects what it finds. */

import { type BooksCheckName, Findings } from '../../../domain/books/difference.js'
import type { Networks } from '../../../domain/chain/network.js'
import { formatDigits } from '../../../domain/money.js'
import type { Transaction } from '../../connect.js'
import { readDecimals } from '../../networks/read-decimals.js'
import { BOOKS_CHECK } from './books-checks.js'

/** Time after which something that the platform does at once, such as sealing an event, is late. */
const SOON_MS = 900_000

export interface ExamineOptions {
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

/** Examines all rows of the merchant that the check is about, as the transaction sees them. */
export async function examine(
  tx: Transaction,
  networks: Networks,
  merchantId: string,
  name: BooksCheckName,
  options: ExamineOptions,
): Promise<CheckResult> {
  const findings = new Findings(options.networks)
  const decimalsOf = await readDecimals(tx, networks)
  const context = {
    merchantId,
    caip2: new Map([...networks.values()].map((network) => [network.name, network.caip2])),
    soonMs: SOON_MS,
    amount: (network: string, coin: string, units: string) => formatDigits(units, decimalsOf(network, coin)),
  }
  let examined = 0
  for await (const rows of BOOKS_CHECK[name].examine(tx, context, findings)) {
    examined += rows
    options.signal?.throwIfAborted()
    options.progress?.(examined)
  }
  return { findings, examined }
}
