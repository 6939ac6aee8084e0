/** Connects to PostgreSQL, with exact types in both directions. */

import postgres from 'postgres'

/** Types of columns: `numeric` and `bigint` arrive as `bigint`. Every numeric column has scale 0. */
export type Types = { bigint: bigint; numeric: bigint }

export type Sql = postgres.Sql<Types>
export type Transaction = postgres.TransactionSql<Types>
/** Pool or open transaction, on which a query can run. */
export type Queryable = Sql | Transaction

const CONNECT_TIMEOUT_SECONDS = 5
const MAX_BACKOFF_SECONDS = 0.5

export interface ConnectOptions {
  /** Most connections of the pool. Default 10. */
  readonly max?: number
  /** Name of the process in `pg_stat_activity`. */
  readonly name?: string
  /**
   * Milliseconds after which the server gives up, with an error that `isPassing` recognizes. Default: no
   * limits.
   */
  readonly timeouts?: {
    /** Limit of a wait for a lock. */
    readonly lock: number
    /** Limit of one statement. */
    readonly statement: number
    /** Limit of an idle transaction. Its process hangs, and its locks must not block others. */
    readonly idleInTransaction: number
  }
}

/**
 * Opens a pool.
 *
 * @param url - `postgres://user:password@host:port/database`.
 */
export function connect(url: string, options: ConnectOptions = {}): Sql {
  const { timeouts } = options
  const sql = postgres(url, {
    max: options.max ?? 10,
    onnotice: () => {},
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    // A query should fail soon while the server is away, and succeed soon when it returns.
    backoff: (attempt) => Math.min(MAX_BACKOFF_SECONDS, 2 ** attempt / 100),
    connection: {
      application_name: options.name ?? 'keyturn',
      TimeZone: 'UTC',
      ...(timeouts && {
        lock_timeout: timeouts.lock,
        statement_timeout: timeouts.statement,
        idle_in_transaction_session_timeout: timeouts.idleInTransaction,
      }),
    },
    types: {
      bigint: postgres.BigInt,
      numeric: {
        to: 1700,
        from: [1700],
        serialize: (value: bigint) => value.toString(),
        parse: (text: string) => BigInt(text),
      },
    },
  })
  // Without the patch, a transaction that lost its connection would go on beside the one that replaces it.
  if (!('endsLostTransactions' in sql))
    throw new Error('The PostgreSQL driver is not patched: run node local/patch-postgres.mjs')
  return sql as unknown as Sql
}

/** Runs `work` in a transaction: commits when it returns, rolls back when it throws. */
export function inTransaction<T>(sql: Sql, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return sql.begin(work) as Promise<T>
}

/**
 * Passes a value to a query as `jsonb`. The driver's own type rejects interfaces, which have no index
 * signature.
 */
export function json(sql: Queryable, value: unknown) {
  return sql.json(value as never)
}

/** Formats a `timestamptz` column as `Date.toISOString` does: ISO 8601 in UTC, with milliseconds. */
export function iso(sql: Queryable, column: string) {
  return isoOf(sql, sql`${sql(column)}`)
}

/** Formats the present time of the database's clock as `iso` does. */
export function isoNow(sql: Queryable) {
  return isoOf(sql, sql`clock_timestamp()`)
}

function isoOf(sql: Queryable, time: postgres.PendingQuery<postgres.Row[]>) {
  return sql`to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
}
