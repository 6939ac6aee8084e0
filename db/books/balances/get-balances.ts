/** Reads balances per coin of a merchant, a user, the merchant's own account or an address: now, or as of then. */

import type { PendingQuery, Row as SqlRow } from 'postgres'
import { PENDING_DEPOSITS, RESERVED_DEPOSITS } from '../../../domain/deposits/deposit-sets.js'
import type { Queryable } from '../../connect.js'
import { idFrom, idTo } from '../../id-range.js'
import { members } from '../../members.js'
import { accountsIn, type BalanceScope, depositsIn } from './balance-scope.js'
import { isSlow, USUALLY_PENDING_MS } from './slow-deposits.js'

export interface BalanceFilter extends BalanceScope {
  /** Instant of which the recorded balances are read. Default: now. */
  readonly asOf?: Date
  /** Whether what was recorded at that instant does not count, as at the end of a half-open window. */
  readonly exclusive?: boolean
  /** Height up to which blocks count. It needs `network`, and excludes `asOf`. */
  readonly asOfBlock?: number
}

/** Balance of one coin, in base units. */
export interface UnitBalance {
  readonly network: string
  readonly coin: string
  /**
   * Amount that may be withdrawn. It may be negative for the merchant's own account, or after a reorg of
   * spent money.
   */
  readonly available: bigint
  /** Amount held for payouts, or confirmed and still being screened. */
  readonly reserved: bigint
  /** Confirmed amount on the addresses in the chain. */
  readonly blockchain: bigint
  /** Amount of deposits that are detected but not yet confirmed. */
  readonly pending: bigint
}

interface Row extends UnitBalance {
  /** Amount of deposits at the address that are confirmed but not yet credited. */
  readonly screened: bigint
}

/**
 * Sums the accounts that the filter selects. Without a user or an address it sums everything that the
 * merchant holds and owes, wallets included. An address has no liabilities of its own: its reserved amount is
 * what arrived there and is still being screened, and its available amount is the rest. An enabled coin
 * without a journal is listed as zero.
 *
 * As of an instant it shows what was booked then, also what a reorganisation took back later. As of a block
 * it shows what stands now and counts up to that block: `ledger_journals.height` says at which block a
 * journal counts.
 */
export async function getBalances(sql: Queryable, filter: BalanceFilter): Promise<UnitBalance[]> {
  const { merchantId, addressId, network, coin } = filter
  const { balance, later } = balanceOf(sql, filter)
  const byAddress = isByAddress(filter)
  const rows = await sql<Row[]>`
    WITH deposit AS (
      SELECT network, coin, coalesce(sum(amount) FILTER (WHERE pending), 0) AS pending,
             coalesce(sum(amount) FILTER (WHERE screened), 0) AS reserved
      FROM (${depositsOf(sql, filter)}) each
      GROUP BY network, coin
    ), ledger AS (
      SELECT account.network, account.coin,
             coalesce(sum(-(${balance})) FILTER (WHERE account.kind = 'available'), 0) AS available,
             coalesce(sum(-(${balance})) FILTER (WHERE account.kind = 'reserved'), 0) AS reserved,
             coalesce(sum(${balance}) FILTER (WHERE account.kind = 'chain'), 0) AS blockchain
      FROM ledger_accounts account ${later}
      WHERE ${accountsIn(sql, filter)}
        ${filter.asOf ? madeBy(sql, merchantId, instantOf(sql, filter.asOf, filter)) : sql``}
      GROUP BY account.network, account.coin
    ), rail AS (
      SELECT network, coin FROM merchant_rails
      WHERE merchant_id = ${merchantId}
        ${addressId === undefined ? sql`` : sql`AND network = (SELECT network FROM addresses WHERE id = ${addressId})`}
    )
    SELECT network, coin,
           coalesce(ledger.available, 0) AS available, coalesce(ledger.blockchain, 0) AS blockchain,
           coalesce(ledger.reserved, 0) AS reserved, coalesce(deposit.pending, 0) AS pending,
           coalesce(deposit.reserved, 0) AS screened
    FROM rail FULL JOIN ledger USING (network, coin) FULL JOIN deposit USING (network, coin)
    WHERE true ${network === undefined ? sql`` : sql`AND network = ${network}`}
      ${coin === undefined ? sql`` : sql`AND coin = ${coin}`}
    ORDER BY network, coin`
  return rows.map((row) => ({
    network: row.network,
    coin: row.coin,
    available: byAddress ? row.blockchain - row.screened : row.available,
    reserved: byAddress ? row.screened : row.reserved,
    blockchain: row.blockchain,
    pending: row.pending,
  }))
}

/** Condition for accounts that existed at an instant. It is written as the index `ledger_accounts_created` is. */
const madeBy = (sql: Queryable, merchantId: string, instant: ReturnType<typeof instantOf>) => sql`
  AND account.merchant_id || '' = ${merchantId} AND account.created_at <= ${instant}`

/** Whether addresses are asked for, which have no liabilities of their own. */
function isByAddress({ addressId, depositAddresses }: BalanceFilter): boolean {
  return addressId !== undefined || depositAddresses === true
}

interface Balance {
  /** Expression of the balance of `account`. */
  readonly balance: PendingQuery<SqlRow[]>
  /** Join that the expression needs. */
  readonly later: PendingQuery<SqlRow[]>
}

/** Returns the last instant that counts. PostgreSQL keeps microseconds, of which a `Date` has none. */
function instantOf(sql: Queryable, asOf: Date, { exclusive }: BalanceFilter): PendingQuery<SqlRow[]> {
  return exclusive ? sql`(${asOf}::timestamptz - interval '1 microsecond')` : sql`${asOf}::timestamptz`
}

function balanceOf(sql: Queryable, filter: BalanceFilter): Balance {
  const { merchantId, network, asOf, asOfBlock } = filter
  if (asOf) {
    const instant = instantOf(sql, asOf, filter)
    const balance = sql`CASE WHEN account.updated_at <= ${instant} THEN account.balance
                             ELSE balance_at(account.id, account.version, ${instant}) END`
    return { balance, later: sql`` }
  }
  if (asOfBlock === undefined) return { balance: sql`account.balance`, later: sql`` }
  // What counts later is taken off. Journals that a reorganisation reversed, and their reversals, sum to zero.
  // A step without a block counts no later than what followed it: a hold not later than its settlement. What was recorded
  // before the chain was rolled back across that block counts: of it, what has a block was reversed then.
  const later = sql`
    LEFT JOIN (
      SELECT entry.account_id, sum(entry.amount) AS amount
      FROM ledger_journals journal JOIN ledger_entries entry ON entry.journal_id = journal.id
      WHERE journal.merchant_id = ${merchantId} AND journal.network = ${network ?? ''} AND journal.height > ${asOfBlock}
        AND journal.recorded_at >= coalesce((
          SELECT max(at) FROM chain_rollbacks
          WHERE network = ${network ?? ''} AND fork_height < ${asOfBlock} AND from_height >= ${asOfBlock}), '-infinity')
        AND journal.reverses IS NULL
        AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = journal.id)
        AND NOT EXISTS (
          SELECT FROM ledger_journals next
          WHERE next.merchant_id = journal.merchant_id AND next.reference = journal.reference AND next.id > journal.id
            AND next.network = journal.network AND next.height <= ${asOfBlock} AND next.reverses IS NULL
            AND NOT EXISTS (SELECT FROM ledger_journals undo WHERE undo.reverses = next.id))
      GROUP BY entry.account_id
    ) later ON later.account_id = account.id`
  return { balance: sql`account.balance - coalesce(later.amount, 0)`, later }
}

/** Returns deposits with `network`, `coin`, `amount`, and whether they are `pending` or `screened`. */
function depositsOf(sql: Queryable, filter: BalanceFilter): PendingQuery<SqlRow[]> {
  const { addressId, userReference, asOf, asOfBlock } = filter
  const pending = members(sql, PENDING_DEPOSITS)
  const reserved = members(sql, RESERVED_DEPOSITS)
  if (asOf) {
    const instant = instantOf(sql, asOf, filter)
    const all = sql`SELECT * FROM deposits WHERE ${depositsIn(sql, filter)} AND detected_at <= ${instant}`
    const found =
      addressId === undefined && userReference === undefined
        ? // Found one by one: the planner takes the candidates for many, and would read every deposit to find them.
          sql`
            (${candidates(sql, filter, asOf)}) candidate
            CROSS JOIN LATERAL (${all} AND deposits.id = candidate.id OFFSET 0) deposit`
        : sql`(${all}) deposit`
    return sql`
      SELECT network, coin, amount, past.status IN ${pending} AS pending, past.status IN ${reserved} AS screened
      FROM ${found} CROSS JOIN LATERAL (
        SELECT line ->> 'status' AS status FROM jsonb_array_elements(history) WITH ORDINALITY AS step (line, number)
        WHERE (line ->> 'at')::timestamptz <= ${instant} ORDER BY number DESC LIMIT 1
      ) past`
  }
  return sql`
    SELECT network, coin, amount, status IN ${pending} AS pending,
           status IN ${reserved} AND refunded_by IS NULL AS screened
    FROM deposits
    WHERE ${depositsIn(sql, filter)}
      ${asOfBlock === undefined ? sql`` : sql`AND block_number <= ${asOfBlock}`}
      ${isByAddress(filter) ? sql`AND (status IN ${pending} OR status IN ${reserved})` : sql`AND status IN ${pending}`}`
}

/**
 * Returns a query for the ids of the deposits that may have been pending or screened then. They are not all that a
 * merchant ever had, but those of the hours before, and the few that were so for longer.
 */
function candidates(sql: Queryable, filter: BalanceFilter, asOf: Date): PendingQuery<SqlRow[]> {
  const { merchantId } = filter
  return sql`
    SELECT id FROM deposits
    WHERE merchant_id = ${merchantId} AND id < ${idTo('dep', asOf)}
      AND (credited_at IS NULL OR credited_at > ${instantOf(sql, asOf, filter)})
      AND id >= ${idFrom('dep', new Date(asOf.getTime() - USUALLY_PENDING_MS))}
    UNION SELECT id FROM deposits WHERE merchant_id = ${merchantId} AND status IN ${members(sql, PENDING_DEPOSITS)}
    UNION SELECT id FROM deposits WHERE merchant_id = ${merchantId} AND status IN ${members(sql, RESERVED_DEPOSITS)}
    UNION SELECT id FROM deposits WHERE merchant_id = ${merchantId} AND ${isSlow(sql)}`
}
