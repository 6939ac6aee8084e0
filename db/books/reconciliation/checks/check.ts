/** Declares what a check of the database is, and how it pages through a merchant's rows. */

import type { BooksCheckName, Findings } from '../../../../domain/books/difference.js'
import type { Transaction } from '../../../connect.js'

/** What a check may use besides its snapshot. */
export interface CheckContext {
  readonly merchantId: string
  /** Formats base units, as decimal digits, in whole coins. */
  readonly amount: (network: string, coin: string, units: string) => string
  /** CAIP-2 identifiers of the networks of the configuration, by name. */
  readonly caip2: ReadonlyMap<string, string>
  /** Milliseconds after which something that the platform does at once is late. */
  readonly soonMs: number
}

/** One check. */
export interface BooksCheck {
  readonly name: BooksCheckName
  /**
   * Examines the merchant's rows in one read-only snapshot, page by page.
   *
   * @returns The number of rows of each page, so that the caller can report progress and stop in between.
   */
  examine(tx: Transaction, context: CheckContext, findings: Findings): AsyncGenerator<number>
}

/** Rows of a page. */
export const PAGE = 2_000

/** A page as one statement returns it: the rows that it compared, the key of the last one, and what differs. */
export interface Page<Key, Found> {
  readonly rows: number
  /** What counts as examined. Absent: its rows. */
  readonly examined?: number
  /** `null` when the page is empty. */
  readonly last: Key | null
  readonly found: readonly Found[]
}

/**
 * Reads pages until one is not full.
 *
 * @param first - Key below all others.
 * @param read - Reads the page after a key.
 * @param take - Takes each thing that differs.
 */
export async function* eachPage<Key, Found>(
  first: Key,
  read: (after: Key) => PromiseLike<readonly Page<Key, Found>[]>,
  take: (found: Found) => void,
): AsyncGenerator<number> {
  for (let after = first; ; ) {
    const [page] = await read(after)
    if (!page) throw new Error('A check returned no page')
    for (const found of page.found) take(found)
    yield page.examined ?? page.rows
    if (page.last === null || page.rows < PAGE) return
    after = page.last
  }
}

/** Returns the name of an account as the export of the ledger writes it. */
export function accountName(kind: string, owner: string): string {
  return owner === '' ? kind : `${kind}:${owner}`
}
