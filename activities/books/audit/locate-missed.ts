/** Says in which blocks and transactions an EVM address received what the books do not have. */

import { AuditFailure } from '../../../auditor/audit-failure.js'
import type { AccountsAt } from '../../../auditor/evm/open-accounts.js'
import { findMissedDeposits } from '../../../auditor/find-missed-deposits.js'
import type { AccountAt } from '../../../db/auditor/account-page.js'
import type { Sql } from '../../../db/connect.js'
import type { Coin, EvmNetwork } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { surplusOf } from './surplus-of.js'

const UNKNOWN = 'The chain holds more than the books: a deposit may be missing'

/** Returns the reason of the difference. It names no block where the node keeps no balances of old blocks. */
export async function locateMissed(
  sql: Sql,
  network: EvmNetwork,
  at: AccountsAt,
  { merchantId, account, coin }: { merchantId: string; account: AccountAt; coin: Coin },
): Promise<string> {
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
    return `The books have no deposit of ${places.join('; of ')}`
  } catch (error) {
    if (error instanceof AuditFailure && error.code === 'NODE_WITHOUT_STATE') return UNKNOWN
    throw error
  }
}
