/** Reads the figures of wallets and movements for an operator's graphs. */

import { FINAL_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import type { Queryable } from '../connect.js'
import { members } from '../members.js'

interface Counted {
  readonly network: string
  readonly kind: string
  readonly count: number
}

export interface TreasuryGauges {
  /** Number of wallets that are low, by coin. */
  readonly low: readonly (Counted & { readonly coin: string })[]
  /** Number of open movements. */
  readonly open: readonly Counted[]
  /** Balances of wallets in the books, in base units. */
  readonly held: readonly {
    readonly network: string
    readonly kind: string
    readonly coin: string
    readonly balance: bigint
  }[]
}

/** Reads the figures. Wallets are few, and open movements have their own index. */
export async function readTreasuryGauges(sql: Queryable): Promise<TreasuryGauges> {
  const [low, open, held] = await Promise.all([
    sql<TreasuryGauges['low'][number][]>`
      SELECT address.network, address.kind, alert.coin, count(*)::int AS count
      FROM wallet_alerts alert JOIN addresses address ON address.id = alert.address_id
      GROUP BY address.network, address.kind, alert.coin`,
    sql<Counted[]>`
      SELECT network, kind, count(*)::int AS count FROM payouts
      WHERE kind IN ('consolidation', 'gas_funding', 'rebalance')
        AND stage NOT IN ${members(sql, FINAL_PAYOUTS)}
      GROUP BY network, kind`,
    sql<TreasuryGauges['held'][number][]>`
      SELECT address.network, address.kind, account.coin, sum(account.balance)::numeric AS balance
      FROM key_accounts wallet
      JOIN addresses address ON address.key_account_id = wallet.id AND address.kind IN ('master', 'hot', 'gas')
      JOIN ledger_accounts account ON account.merchant_id = address.merchant_id AND account.network = address.network
        AND account.kind = 'chain' AND account.owner = address.id
      WHERE wallet.role <> 'deposit'
      GROUP BY address.network, address.kind, account.coin`,
  ])
  return { low, open, held }
}
