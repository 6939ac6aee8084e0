/** Reads what is known about a deposit address before it is swept. */

import { RESERVED_DEPOSITS } from '../../../domain/deposits/deposit-sets.js'
import { FINAL_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'

/** The facts. Amounts are in base units, from the books. */
export interface SweepFacts {
  readonly merchantId: string
  readonly address: string
  readonly path: string
  /** Version of the row of `consolidations`, read before anything else. */
  readonly version: number
  readonly failures: number
  /**
   * Amount on the address that is credited. What is confirmed there but still being screened, or held, stays
   * where it is.
   */
  readonly credited: bigint
  /** Open movement from or to the address, and its purpose. */
  readonly open: {
    readonly id: string
    readonly kind: string
    readonly coin: string
    readonly serves: string | null
  } | null
  readonly master: { readonly id: string; readonly address: string } | null
  readonly gas: { readonly id: string; readonly address: string; readonly path: string } | null
}

/** Reads the facts. `null` when there is nothing to check, or the signer was revoked. */
export async function readSweepFacts(
  sql: Queryable,
  network: string,
  coin: string,
  addressId: string,
): Promise<SweepFacts | null> {
  // Read first, so that a credit that comes while the rest is read counts as new.
  const [due] = await sql<{ version: number; failures: number }[]>`
    SELECT version, failures FROM consolidations WHERE address_id = ${addressId} AND coin = ${coin}`
  if (!due) return null
  const [row] = await sql<
    {
      merchant_id: string
      address: string
      path: string
      held: bigint
      unsettled: bigint
      open: SweepFacts['open']
      master: SweepFacts['master']
      gas: SweepFacts['gas']
    }[]
  >`
    SELECT address.merchant_id, address.address, address.derivation_path AS path,
      coalesce((SELECT balance FROM ledger_accounts
                WHERE merchant_id = address.merchant_id AND network = address.network AND coin = ${coin}
                  AND kind = 'chain' AND owner = address.id), 0)::numeric AS held,
      coalesce((SELECT sum(amount) FROM deposits
                WHERE address_id = address.id AND coin = ${coin}
                  AND status IN ${members(sql, RESERVED_DEPOSITS)} AND refunded_by IS NULL), 0)::numeric AS unsettled,
      (SELECT jsonb_build_object('id', id, 'kind', kind, 'coin', coin, 'serves', metadata ->> 'serves')
       FROM payouts movement
       WHERE (movement.kind = 'consolidation' AND movement.from_address_id = address.id
              OR movement.kind = 'gas_funding' AND movement.network = address.network
                 AND movement.to_address = address.address)
         AND movement.network = address.network AND kind IN ('consolidation', 'gas_funding', 'rebalance')
         AND stage NOT IN ${members(sql, FINAL_PAYOUTS)}
       ORDER BY id LIMIT 1) AS open,
      (SELECT jsonb_build_object('id', wallet.id, 'address', wallet.address) FROM addresses wallet
       WHERE wallet.merchant_id = address.merchant_id AND wallet.network = address.network AND wallet.kind = 'master'
       ORDER BY wallet.index LIMIT 1) AS master,
      (SELECT jsonb_build_object('id', wallet.id, 'address', wallet.address, 'path', wallet.derivation_path)
       FROM addresses wallet
       WHERE wallet.merchant_id = address.merchant_id AND wallet.network = address.network AND wallet.kind = 'gas'
       ORDER BY wallet.index LIMIT 1) AS gas
    FROM addresses address
    JOIN key_accounts account ON account.id = address.key_account_id
    JOIN signers signer ON signer.id = account.signer_id AND signer.revoked_at IS NULL
    WHERE address.id = ${addressId} AND address.network = ${network} AND address.kind = 'deposit'`
  if (!row) return null
  return {
    merchantId: row.merchant_id,
    address: row.address,
    path: row.path,
    version: due.version,
    failures: due.failures,
    credited: row.held - row.unsettled,
    open: row.open,
    master: row.master,
    gas: row.gas,
  }
}
