/** Creates a merchant and enables its networks and coins. */

import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql } from '../connect.js'
import { newId } from '../new-id.js'

export interface NewMerchant {
  readonly name: string
  /** Colour of its pages for payers, `#` and six lower-case hex digits. Default: ours. */
  readonly colour?: string
  /** Networks and coins that it may use. Others are refused with `RAIL_NOT_ENABLED`. */
  readonly rails: readonly { readonly network: string; readonly coin: string }[]
  /** Actor for the audit log. Default `system:operator`. */
  readonly actor?: string
}

/** Creates the merchant. @returns Its id (`mer_…`) and the UUID of its asset pool. */
export async function createMerchant(
  sql: Sql,
  merchant: NewMerchant,
): Promise<{ readonly id: string; readonly assetPoolId: string }> {
  const id = newId('mer')
  return inTransaction(sql, async (tx) => {
    const [row] = await tx<{ asset_pool_id: string }[]>`
      INSERT INTO merchants (id, name, colour) VALUES (${id}, ${merchant.name}, ${merchant.colour ?? null}) RETURNING asset_pool_id`
    if (!row) throw new Error('The merchant was not stored')
    await tx`
      INSERT INTO merchant_rails (merchant_id, network, coin)
      SELECT ${id}, * FROM unnest(${merchant.rails.map((each) => each.network)}::text[],
                                  ${merchant.rails.map((each) => each.coin)}::text[])`
    await appendAudit(tx, {
      merchantId: id,
      actor: merchant.actor ?? 'system:operator',
      action: 'merchant.created',
      subject: id,
      data: { name: merchant.name, rails: merchant.rails },
    })
    return { id, assetPoolId: row.asset_pool_id }
  })
}
