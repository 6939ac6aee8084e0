/** Runs long reads in one snapshot of the database, in a session that cannot write. */

import type { Sql, Transaction } from './connect.js'

/** Memory in which PostgreSQL sorts and hashes before it uses the disk. */
const WORK_MEMORY = '64MB'

export interface SnapshotOptions {
  /** Milliseconds that a statement may take. */
  readonly statementMs: number
  /** Milliseconds that the transaction may wait for the next statement. */
  readonly idleMs: number
  /** Ends the reads, also a statement that is running. */
  readonly signal?: AbortSignal | undefined
}

/** Runs `work` in a read-only transaction, whose snapshot is that of its first statement. */
export async function inSnapshot(
  sql: Sql,
  { statementMs, idleMs, signal }: SnapshotOptions,
  work: (tx: Transaction) => Promise<void>,
): Promise<void> {
  let cancelling: Promise<unknown> | null = null
  await sql.begin('isolation level repeatable read read only', async (tx) => {
    const [session] = await tx<{ pid: number }[]>`
      SELECT pg_backend_pid() AS pid, set_config('statement_timeout', ${String(statementMs)}, true),
             set_config('idle_in_transaction_session_timeout', ${String(idleMs)}, true),
             set_config('work_mem', ${WORK_MEMORY}, true)`
    const cancel = (): void => {
      cancelling = sql`SELECT pg_cancel_backend(${session?.pid ?? 0})`.catch(() => {})
    }
    signal?.throwIfAborted()
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      await work(tx)
    } finally {
      signal?.removeEventListener('abort', cancel)
      // The connection must not serve another transaction before it was cancelled.
      await cancelling
    }
  })
}
