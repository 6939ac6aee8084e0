/** Reads the trial balance of a merchant: the sum of each kind of account at an instant. */

import type { AccountClass, TrialBalanceLine } from '../../../domain/books/period-books.js'
import type { Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { Queryable } from '../../connect.js'
import { readDecimals } from '../../networks/read-decimals.js'
import type { AccountKind } from '../ledger/journal-entry.js'

interface Row {
  readonly kind: AccountKind
  readonly own: boolean
  readonly network: string
  readonly coin: string
  readonly balance: bigint
}

/**
 * Returns the lines that are not zero, as they stood right before the instant. Together they are zero for
 * each coin, because every journal is. A coin that left the configuration keeps the decimals that it had.
 *
 * @throws Error for a coin that no configuration ever had.
 */
export async function readTrialBalance(
  sql: Queryable,
  networks: Networks,
  merchantId: string,
  before: Date,
): Promise<TrialBalanceLine[]> {
  const rows = await sql<Row[]>`
    SELECT kind, kind IN ('available', 'reserved') AND owner = '' AS own, network, coin, sum(balance) AS balance
    FROM (
      SELECT account.kind, account.owner, account.network, account.coin,
             CASE WHEN account.updated_at < ${before} THEN account.balance
                  ELSE coalesce((
                    SELECT entry.balance_after FROM ledger_entries entry
                    WHERE entry.account_id = account.id
                      AND entry.account_version = version_before(account.id, account.version, ${before})), 0)
             END AS balance
      FROM ledger_accounts account WHERE account.merchant_id = ${merchantId} AND account.created_at < ${before}
    ) account
    GROUP BY kind, own, network, coin HAVING sum(balance) <> 0
    ORDER BY network, coin, kind, own`
  const decimalsOf = await readDecimals(sql, networks)
  return rows.map((row) => ({
    class: classOf(row),
    account: row.kind,
    network: row.network,
    coin: row.coin,
    balance: formatAmount(row.balance, decimalsOf(row.network, row.coin)),
  }))
}

function classOf({ kind, own }: Row): AccountClass {
  if (kind === 'chain') return 'asset'
  if (kind === 'network_fee') return 'expense'
  return own ? 'equity' : 'liability'
}
