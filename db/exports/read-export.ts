/** Reads an export page by page from one snapshot of the database. */

import { csvLine } from '../../domain/books/csv.js'
import type { Networks } from '../../domain/chain/network.js'
import type { Sql, Transaction } from '../connect.js'
import { inSnapshot } from '../in-snapshot.js'
import { readDecimals } from '../networks/read-decimals.js'
import type { ExportRequest, Fragment, Selection } from './dataset.js'
import { type AnyDataset, DATASETS } from './datasets.js'

/** Characters of a page, about. Rows of some datasets hold much, so a page has fewer of these than it may. */
const PAGE_LENGTH = 1_000_000
/** Share of its most rows that the first page has, and how much more rows than the page before a page may have. */
const FIRST_SHARE = 0.1
const GROWTH = 4

/** Part of an export. */
export interface ExportPage {
  /** Whole lines in the format of the export. */
  readonly text: string
  readonly rows: number
  /** Sequence of the last row. `null` in datasets without one. */
  readonly sequence: bigint | null
}

export interface ReadOptions {
  /** Rows to read, besides the merchant and the filters. */
  readonly selection: Pick<Selection, 'after' | 'asOf' | 'lastSequence'>
  /** Milliseconds that the whole may take, and that the transaction may wait for the taker of a page. */
  readonly limits: { readonly statementMs: number; readonly idleMs: number }
  /** Ends the export, also a query that is running. */
  readonly signal?: AbortSignal
  /** Runs in the transaction before the first row is read. It may throw to refuse the export. */
  readonly begin?: (tx: Transaction) => Promise<void>
  /** Runs once the first page is there, also where it is empty. */
  readonly begun?: () => Promise<void>
  /** Takes a page. The next page but one is read after it returns, so that memory does not grow. */
  readonly take: (page: ExportPage) => Promise<void>
}

/** Returns the first line of a CSV file. NDJSON has none. */
export function exportHead({ dataset, format }: Pick<ExportRequest, 'dataset' | 'format'>): string {
  return format === 'csv' ? csvLine(DATASETS[dataset].columns.map(({ name }) => name)) : ''
}

/**
 * Reads the rows in one read-only transaction, whose snapshot is that of its first statement. Rows that others
 * write meanwhile are not in it. A cursor of the server holds the position.
 */
export async function readExport(
  sql: Sql,
  networks: Networks,
  request: ExportRequest,
  { selection, limits, signal, begin, begun, take }: ReadOptions,
): Promise<void> {
  const dataset = DATASETS[request.dataset]
  await inSnapshot(sql, { ...limits, signal }, async (tx) => {
    await begin?.(tx)
    await readPages(tx)
  })

  async function readPages(tx: Transaction): Promise<void> {
    const context = { tx, networks, decimalsOf: await readDecimals(tx, networks) }
    const query = dataset.rows(tx, { ...selection, merchantId: request.merchantId, filters: request.filters })
    const size = { rows: Math.ceil(dataset.pageRows * FIRST_SHARE) }
    for await (const rows of pages(tx, query, size, begun)) {
      signal?.throwIfAborted()
      const lines = await dataset.lines(rows, context)
      const texts = lines.map(({ view }) => format(dataset, request.format, view))
      const longest = texts.reduce((most, { length }) => Math.max(most, length), 1)
      size.rows = Math.min(Math.ceil(PAGE_LENGTH / longest), GROWTH * rows.length, dataset.pageRows)
      await take({ text: texts.join(''), rows: rows.length, sequence: lines.at(-1)?.sequence ?? null })
    }
  }
}

function format(dataset: AnyDataset, format: ExportRequest['format'], view: unknown): string {
  return format === 'csv' ? csvLine(dataset.columns.map(({ cell }) => cell(view))) : `${dataset.json(view)}\n`
}

/**
 * Yields pages. While one is worked on, the server makes the next one ready.
 *
 * @param size - Rows of a page. The consumer changes it, which holds from the next page but one.
 */
async function* pages(
  tx: Transaction,
  query: Fragment,
  size: { readonly rows: number },
  begun: () => Promise<void> = async () => {},
): AsyncGenerator<unknown[]> {
  await tx`DECLARE export_rows NO SCROLL CURSOR FOR ${query}`
  const fetch = () => {
    const most = size.rows
    const rows = tx.unsafe(`FETCH ${most} FROM export_rows`).execute()
    // A failure is thrown where the page is awaited. A consumer that stops before leaves it unseen.
    rows.catch(() => {})
    return { rows: rows as Promise<unknown[]>, most }
  }
  let next = fetch()
  await next.rows
  await begun()
  for (;;) {
    const rows = await next.rows
    if (rows.length === 0) return
    next = rows.length < next.most ? { rows: Promise.resolve([]), most: 0 } : fetch()
    yield rows
  }
}

/** Counts the rows of an export, in the transaction that reads them. */
export async function countRows(
  tx: Transaction,
  { merchantId, dataset, filters }: ExportRequest,
  selection: ReadOptions['selection'],
): Promise<bigint> {
  const [row] = await tx<{ count: bigint }[]>`
    ${DATASETS[dataset].count(tx, { ...selection, merchantId, filters })}`
  return row?.count ?? 0n
}
