/** Reads what came in, left and was paid in fees since the beginning: by coin, by user or by address. */

import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { accountsIn, type BalanceScope } from './balance-scope.js'

/** Totals in base units. `balance` = deposited − withdrawn − fees + transferredIn − transferredOut. */
export interface UnitTotals {
  /** Place in the list: the id of an account. `null` where a row sums many accounts. */
  readonly id: bigint | null
  readonly network: string
  readonly coin: string
  /** User, '' for the merchant's own account, or address id. '' where a row sums many. */
  readonly owner: string
  /** Address, of a row by address. */
  readonly address: string | null
  readonly deposited: bigint
  readonly withdrawn: bigint
  readonly fees: bigint
  readonly transferredIn: bigint
  readonly transferredOut: bigint
  readonly balance: bigint
}

/** Sums the totals by coin. Its cost grows with the accounts that the scope has, as that of balances does. */
export async function totalsByCoin(sql: Queryable, scope: BalanceScope): Promise<UnitTotals[]> {
  const kinds =
    scope.addressId === undefined
      ? sql`account.kind IN ('available', 'reserved')`
      : sql`account.kind = 'chain'`
  return await sql<UnitTotals[]>`
    SELECT NULL::bigint AS id, account.network, account.coin, '' AS owner, NULL AS address, ${sums(sql)}
    FROM ledger_accounts account
    WHERE ${accountsIn(sql, scope)} AND ${kinds}
    GROUP BY account.network, account.coin ORDER BY account.network, account.coin`
}

/**
 * Lists the totals of each user and coin, those of the newest first. A user has two accounts of a coin, and
 * the older one has the place in the list.
 */
export async function totalsByUser(sql: Queryable, scope: BalanceScope, slice: Slice): Promise<UnitTotals[]> {
  return await sql<UnitTotals[]>`
    SELECT page.id, page.network, page.coin, page.owner, NULL AS address, total.*
    FROM (
      SELECT account.* FROM ledger_accounts account
      WHERE ${accountsIn(sql, scope)} AND account.kind IN ('available', 'reserved')
        ${slice.before === null ? sql`` : sql`AND account.id < ${slice.before}::bigint`}
        AND account.id <= (
          SELECT min(pair.id) FROM ledger_accounts pair
          WHERE pair.merchant_id = account.merchant_id AND pair.network = account.network AND pair.coin = account.coin
            AND pair.kind IN ('available', 'reserved') AND pair.owner = account.owner)
      ORDER BY account.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}
    ) page CROSS JOIN LATERAL (
      SELECT ${sums(sql)} FROM ledger_accounts account
      WHERE account.merchant_id = page.merchant_id AND account.network = page.network AND account.coin = page.coin
        AND account.kind IN ('available', 'reserved') AND account.owner = page.owner
    ) total
    ORDER BY page.id DESC`
}

/** Lists the totals of each address and coin, the newest first. What moved between own addresses is transferred. */
export async function totalsByAddress(
  sql: Queryable,
  scope: BalanceScope,
  slice: Slice,
): Promise<UnitTotals[]> {
  return await sql<UnitTotals[]>`
    SELECT account.id, account.network, account.coin, account.owner, address.address, account.deposited,
           account.withdrawn, account.fees, account.transferred_in AS "transferredIn",
           account.transferred_out AS "transferredOut", account.balance
    FROM ledger_accounts account LEFT JOIN addresses address ON address.id = account.owner
    WHERE ${accountsIn(sql, scope)} AND account.kind = 'chain'
      ${slice.before === null ? sql`` : sql`AND account.id < ${slice.before}::bigint`}
    ORDER BY account.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Sums accounts. A liability is negative in the ledger. */
function sums(sql: Queryable) {
  return sql`
    sum(account.deposited)::numeric AS deposited, sum(account.withdrawn)::numeric AS withdrawn,
    sum(account.fees)::numeric AS fees, sum(account.transferred_in)::numeric AS "transferredIn",
    sum(account.transferred_out)::numeric AS "transferredOut",
    sum(CASE account.kind WHEN 'chain' THEN account.balance ELSE -account.balance END)::numeric AS balance`
}
