/** Lists the merchant's own wallets with their balances per coin, in one query. */

import {
  PENDING_DEPOSITS,
  RESERVED_DEPOSITS,
  UNCREDITED_DEPOSITS,
} from '../../domain/deposits/deposit-sets.js'
import type { UnitBalance } from '../books/balances/get-balances.js'
import type { Queryable } from '../connect.js'
import { members } from '../members.js'
import type { Slice } from '../slice.js'

export interface WalletRow {
  readonly id: string
  readonly kind: 'master' | 'hot' | 'gas'
  readonly network: string
  readonly address: string
  /**
   * Balances as `getBalances` returns them for the address, by name: every enabled coin and every coin it
   * ever held.
   */
  readonly balances: readonly UnitBalance[]
}

export interface WalletFilter {
  /** Networks that this installation serves, or one of them. */
  readonly networks: readonly string[]
  readonly kind?: WalletRow['kind'] | undefined
}

interface Row extends Pick<WalletRow, 'id' | 'kind' | 'network' | 'address'> {
  /** Null where nothing was ever there, and no rail is enabled. */
  readonly coin: string | null
  readonly blockchain: bigint
  readonly pending: bigint
  readonly screened: bigint
}

/** Returns master, hot and gas wallets, newest first. */
export async function listWallets(
  sql: Queryable,
  merchantId: string,
  { networks, kind }: WalletFilter,
  slice: Slice,
): Promise<WalletRow[]> {
  const rows = await sql<Row[]>`
    WITH wallet AS (
      SELECT id, kind, network, address FROM addresses
      WHERE merchant_id = ${merchantId} AND user_reference IS NULL AND kind IN ('master', 'hot', 'gas')
        AND network = ANY (${[...networks]})
        ${kind === undefined ? sql`` : sql`AND kind = ${kind}`}
        ${slice.before === null ? sql`` : sql`AND id < ${slice.before}`}
      ORDER BY id DESC LIMIT ${slice.take} OFFSET ${slice.offset}
    ), rail AS (
      SELECT wallet.id, rail.coin
      FROM wallet JOIN merchant_rails rail ON rail.merchant_id = ${merchantId} AND rail.network = wallet.network
    ), ledger AS (
      SELECT wallet.id, account.coin, sum(account.balance) AS blockchain
      FROM wallet JOIN ledger_accounts account
        ON account.merchant_id = ${merchantId} AND account.network = wallet.network AND account.kind = 'chain'
       AND account.owner = wallet.id
      GROUP BY wallet.id, account.coin
    ), deposit AS (
      SELECT wallet.id, deposit.coin,
             coalesce(sum(amount) FILTER (WHERE status IN ${members(sql, PENDING_DEPOSITS)}), 0) AS pending,
             coalesce(sum(amount) FILTER (WHERE status IN ${members(sql, RESERVED_DEPOSITS)} AND refunded_by IS NULL), 0) AS screened
      FROM wallet JOIN deposits deposit ON deposit.address_id = wallet.id
      WHERE deposit.merchant_id = ${merchantId}
        AND deposit.status IN ${members(sql, UNCREDITED_DEPOSITS)}
      GROUP BY wallet.id, deposit.coin
    ), held AS (
      SELECT id, coin, coalesce(blockchain, 0) AS blockchain, coalesce(pending, 0) AS pending, coalesce(screened, 0) AS screened
      FROM rail FULL JOIN ledger USING (id, coin) FULL JOIN deposit USING (id, coin)
    )
    SELECT wallet.id, wallet.kind, wallet.network, wallet.address, held.coin, coalesce(held.blockchain, 0) AS blockchain,
           coalesce(held.pending, 0) AS pending, coalesce(held.screened, 0) AS screened
    FROM wallet LEFT JOIN held USING (id)
    ORDER BY wallet.id DESC, held.coin`
  const wallets = new Map<string, WalletRow & { readonly balances: UnitBalance[] }>()
  for (const { id, kind, network, address, coin, blockchain, pending, screened } of rows) {
    const wallet = wallets.get(id) ?? { id, kind, network, address, balances: [] }
    wallets.set(id, wallet)
    if (coin === null) continue
    wallet.balances.push({
      network,
      coin,
      available: blockchain - screened,
      reserved: screened,
      blockchain,
      pending,
    })
  }
  return [...wallets.values()]
}
