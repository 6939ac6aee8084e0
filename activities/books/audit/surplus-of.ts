/** Describes an EVM address for the search of what the books do not explain on it. */

import type { Surplus } from '../../../auditor/find-missed-deposits.js'
import { readAccountPage } from '../../../db/auditor/account-page.js'
import { lowestKnownBlock } from '../../../db/auditor/walked-chain.js'
import type { Sql } from '../../../db/connect.js'
import type { Coin } from '../../../domain/chain/network.js'

/** Returns it. @param height - Block up to which the search goes. */
export async function surplusOf(
  sql: Sql,
  network: string,
  address: { readonly id: string; readonly merchantId: string; readonly address: string },
  coin: Coin,
  height: number,
): Promise<Surplus> {
  return {
    address: address.address,
    contract: coin.contract,
    lowest: (await lowestKnownBlock(sql, network)) ?? height,
    async explainedAt(at) {
      const books = { merchantId: address.merchantId, network, height: at }
      const choice = { after: '', most: 1, only: address.id }
      const { accounts } = await readAccountPage(sql, books, coin.name, choice)
      const [account] = accounts
      return account ? account.booked + account.small + account.granted : 0n
    },
  }
}
