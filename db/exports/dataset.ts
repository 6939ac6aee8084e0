/** Declares a dataset of exports: the query that finds its rows, their views, and the columns of its CSV. */

import type postgres from 'postgres'
import type { CsvCell } from '../../domain/books/csv.js'
import type { ExportDataset, ExportFilters, ExportFormat } from '../../domain/books/export-dataset.js'
import type { Networks } from '../../domain/chain/network.js'
import type { Queryable } from '../connect.js'

/** Part of an SQL statement. Do not await it: that would run it. */
export type Fragment = postgres.PendingQuery<postgres.Row[]>

/** Export that a merchant requested. */
export interface ExportRequest {
  readonly merchantId: string
  readonly dataset: ExportDataset
  readonly format: ExportFormat
  readonly filters: ExportFilters
}

/** Rows that a query finds. */
export interface Selection {
  readonly merchantId: string
  readonly filters: ExportFilters
  /** Sequence after which the rows begin. 0 begins with the first. Only datasets with a sequence use it. */
  readonly after: bigint
  /** Time up to which the ledger is read, as PostgreSQL writes it. `null`: everything that is committed. */
  readonly asOf: string | null
  /** Last sequence that is read, of datasets that are numbered before. `null`: the newest. */
  readonly lastSequence: bigint | null
}

/** Column of a CSV file. */
export interface Column<View> {
  readonly name: string
  readonly cell: (view: View) => CsvCell
}

/** Line before it has a format. */
export interface Line<View> {
  readonly view: View
  /** Sequence of the row. `null` in datasets without one. */
  readonly sequence: bigint | null
}

export interface ViewContext {
  readonly tx: Queryable
  readonly networks: Networks
  /** Returns the decimals of a coin that any configuration ever had. */
  readonly decimalsOf: (network: string, coin: string) => number
}

export interface Dataset<Row, View> {
  /** Whether each row has a sequence that never changes, so that an interrupted export goes on after it. */
  readonly sequenced: boolean
  /** Most rows that are read at once. Fewer are, where they are large. */
  readonly pageRows: number
  /** Returns the query, oldest rows first. */
  rows(sql: Queryable, selection: Selection): Fragment
  /** Returns `SELECT count(*)::bigint` of the same rows. */
  count(sql: Queryable, selection: Selection): Fragment
  lines(rows: readonly Row[], context: ViewContext): Promise<readonly Line<View>[]>
  readonly columns: readonly Column<View>[]
  /** Returns the JSON of a line. */
  json(view: View): string
}

/** Returns a column whose cells are texts. */
export function text<View>(name: string, read: (view: View) => string | null): Column<View> {
  return { name, cell: read }
}

/** Returns a column whose cells are numbers. */
export function number<View>(name: string, read: (view: View) => string | number | null): Column<View> {
  return {
    name,
    cell: (view) => {
      const value = read(view)
      return value === null ? null : { number: String(value) }
    },
  }
}

/** Returns a column whose cells are JSON texts. */
export function nested<View>(name: string, read: (view: View) => unknown): Column<View> {
  return { name, cell: (view) => JSON.stringify(read(view)) }
}

/** Returns the ends of a window as times. */
export function windowOf({ from_date, to_date }: ExportFilters) {
  return {
    from: from_date === undefined ? undefined : new Date(from_date),
    to: to_date === undefined ? undefined : new Date(to_date),
  }
}
