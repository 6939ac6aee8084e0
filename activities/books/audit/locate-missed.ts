/** Says in which blocks and transactions an EVM address received what the books do not have. */

import { AuditFailure } from '../../../auditor/audit-failure.js'
import type { AccountsAt } from '../../../auditor/evm/open-accounts.js'
import { findMissedDeposits } from '../../../auditor/find-missed-deposits.js'
import type { AccountAt } from '../../../db/auditor/account-page.js'
import type { Sql } from '../../../db/connect.js'
import type { Coin, EvmNetwork } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { surplusOf } from './surplus-of.js'

/** What a search found of coins that the books miss. */
export interface Located {
  readonly reason: string
  /** Whether a transaction that pays the address was found, so that a rescan credits it. */
  readonly seen: boolean
}

/** The result without a search, or of one that found nothing. */
export const UNKNOWN: Located = {
  reason: 'The chain holds more than the books: a deposit may be missing',
  seen: false,
}

/** Searches for them. It names no block where the node keeps no balances of old blocks. */
export async function locateMissed(
  sql: Sql,
  network: EvmNetwork,
  at: AccountsAt,
  { merchantId, account, coin }: { merchantId: string; account: AccountAt; coin: Coin },
): Promise<Located> {
  const owner = { id: account.addressId, merchantId, address: account.address }
  try {
    const missed = await findMissedDeposits(
      at,
      await surplusOf(sql, network.name, owner, coin, at.block.height),
    )
    if (missed.length === 0) return UNKNOWN
    const places = missed.map(({ height, amount, txids }) => {
      const by = txids.length === 0 ? '' : ` by ${txids.join(', ')}`
      return `${formatAmount(amount, coin.decimals)} ${coin.name} in block ${height}${by}`
    })
    return {
      reason: `The books have no deposit of ${places.join('; of ')}`,
      seen: missed.some(({ txids }) => txids.length > 0),
    }
  } catch (error) {
    if (error instanceof AuditFailure && error.code === 'NODE_WITHOUT_STATE') return UNKNOWN
    throw error
  }
}
