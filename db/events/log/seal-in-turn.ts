/** Seals a batch or, if it fails as a whole, its rows one by one, so that one row cannot block the others. */

import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { errorCode, isPassing } from '../../database-errors.js'
import { clearAlerts } from '../../operations/alerts/raise-alert.js'
import { putOffSealing, type SealedTable, UNSEALED_ALERT, type Unsealable } from './put-off-sealing.js'

/** Rows sealed in one transaction: enough to keep up, small enough to hold no lock for long. */
export const SEAL_BATCH = 500

/** Fields that every unsealed row has. */
export interface Unsealed extends Omit<Unsealable, 'name' | 'error'> {
  readonly seal_failures: number
}

/** A row that could not be sealed while the others of its batch were. */
export interface SealFailure<Row> {
  readonly row: Row
  readonly error: unknown
}

/** Steps that seal the rows of one table. */
export interface Sealing<Row extends Unsealed> {
  readonly table: SealedTable
  /** Advisory lock of the sealers of this table. Its value is arbitrary. */
  readonly lock: number
  /** Reads the first unsealed rows that are not postponed, in the order of their insertion. */
  readonly read: (tx: Transaction, most: number) => Promise<Row[]>
  /** Seals the rows. @returns The rows that it could not seal. */
  readonly seal: (tx: Transaction, rows: readonly Row[]) => Promise<SealFailure<Row>[]>
  /** Returns the name of the row for alerts. */
  readonly nameOf: (row: Row) => string
}

/**
 * Seals one batch. A row that cannot be sealed is postponed with an alert, which is cleared when the row is
 * sealed.
 *
 * @returns How many rows were read. Fewer than a full batch means that none are left.
 * @throws The error of the database, if it is away or busy.
 */
export async function sealInTurn<Row extends Unsealed>(sql: Sql, sealing: Sealing<Row>): Promise<number> {
  try {
    return await sealBatch(sql, sealing, SEAL_BATCH)
  } catch (error) {
    if (isNotOfARow(error)) throw error
  }
  let taken = 0
  for (; taken < SEAL_BATCH; taken++) {
    try {
      if ((await sealBatch(sql, sealing, 1)) === 0) break
    } catch (error) {
      if (isNotOfARow(error)) throw error
      await begin(sql, sealing.lock, async (tx) =>
        putOff(
          tx,
          sealing,
          (await sealing.read(tx, 1)).map((row) => ({ row, error })),
        ),
      )
    }
  }
  return taken
}

function sealBatch<Row extends Unsealed>(sql: Sql, sealing: Sealing<Row>, most: number): Promise<number> {
  return begin(sql, sealing.lock, async (tx) => {
    const rows = await sealing.read(tx, most)
    if (rows.length === 0) return 0
    const failures = await sealing.seal(tx, rows)
    await putOff(tx, sealing, failures)
    const failed = new Set(failures.map(({ row }) => row))
    for (const row of rows.filter((each) => each.seal_failures > 0 && !failed.has(each))) {
      await clearAlerts(tx, row.merchant_id, UNSEALED_ALERT[sealing.table], [row.position.toString()])
    }
    return rows.length
  })
}

async function begin<T>(sql: Sql, lock: number, run: (tx: Transaction) => Promise<T>): Promise<T> {
  return inTransaction(sql, async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${lock})`
    return run(tx)
  })
}

function putOff<Row extends Unsealed>(
  tx: Transaction,
  { table, nameOf }: Sealing<Row>,
  failures: readonly SealFailure<Row>[],
): Promise<void> {
  return putOffSealing(
    tx,
    table,
    failures.map(({ row, error }) => ({
      position: row.position,
      merchant_id: row.merchant_id,
      name: nameOf(row),
      subject: row.subject,
      error,
    })),
  )
}

/**
 * Returns whether an error concerns no row: the database is away or busy, or an older process, which has
 * another lock, assigned the same number (23505).
 */
function isNotOfARow(error: unknown): boolean {
  return isPassing(error) || errorCode(error) === '23505'
}
