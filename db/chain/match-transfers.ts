/** Finds the few transfers that pay an own address among all transfers of a block, by one index probe. */

import type { Transfer } from '../../chains/adapter.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { PolicyTier } from '../../domain/controls/policy.js'
import type { Queryable } from '../connect.js'
import type { AddressFilter } from './address-filter.js'
import { keyProbe } from './key-probe.js'

/** Address that a transfer pays. */
export interface MatchedAddress {
  readonly id: string
  readonly merchantId: string
  readonly userReference: string | null
  readonly kind: 'deposit' | 'change' | 'master' | 'hot' | 'gas'
  readonly address: string
  readonly label: string | null
  readonly keyAccountId: string
  readonly assetPoolId: string
  /** Tiers of the merchant's policy. */
  readonly confirmationTiers: readonly PolicyTier[]
  /** Payments that what arrives may belong to: that of the address, or open ones of the user. */
  readonly payments: readonly MatchedPayment[]
}

/** Payment as the match of a transfer needs it. */
export interface MatchedPayment {
  readonly id: string
  /** Coin that counts. `null` if the address belongs to the payment, so that every coin carries its id. */
  readonly coin: string | null
  /** Height of the chain when the payment was created. Transfers in blocks up to it are older. */
  readonly created_height: number
  /** Unix seconds. */
  readonly created_at: number
}

/** Open payment, for whose deposit another transaction spent the same input. */
export interface ReplacedPayment {
  readonly id: string
  readonly merchant_id: string
  readonly user_reference: string
  readonly coin: string
}

/** Open payments by the transaction that spends an input of their deposits. */
export type ReplacedPayments = ReadonlyMap<string, readonly ReplacedPayment[]>

export interface Match<T extends Transfer = Transfer> {
  readonly transfer: T
  readonly address: MatchedAddress
}

interface Row {
  readonly id: string
  readonly merchant_id: string
  readonly user_reference: string | null
  readonly kind: MatchedAddress['kind']
  readonly address: string
  readonly label: string | null
  readonly key_account_id: string
  readonly asset_pool_id: string
  readonly confirmation_tiers: readonly PolicyTier[] | null
  readonly payments: readonly MatchedPayment[] | null
  readonly payee: string
}

/**
 * Matches transfers with the issued addresses of a network and keeps their order. The cost follows the number
 * of distinct payees, and only the logarithm of the number of addresses.
 *
 * @param filter - Finds most strangers without a query. Absent: every payee is looked up.
 * @param least - Base units below which transfers are left out.
 */
export async function matchTransfers<T extends Transfer>(
  sql: Queryable,
  network: string,
  transfers: readonly T[],
  filter?: AddressFilter,
  least = 1n,
): Promise<Match<T>[]> {
  const payees = new Set<string>()
  for (const transfer of transfers) if (transfer.amount >= least) payees.add(transfer.payee)
  if (payees.size === 0) return []
  const candidates = filter ? await filter.mayBeOwn(sql, payees) : [...payees]
  if (candidates.length === 0) return []
  // Sorted keys walk the index from left to right.
  const keys = BigInt64Array.from(candidates, matchKey).sort()
  const rows = await sql<Row[]>`
    SELECT address.id, address.merchant_id, address.user_reference, address.kind, address.address, address.label,
           address.key_account_id, merchant.asset_pool_id, encode(address.payee, 'hex') AS payee, (
             SELECT policy -> 'confirmation_tiers' FROM policies
             WHERE policies.merchant_id = address.merchant_id ORDER BY version DESC LIMIT 1) AS confirmation_tiers, (
             SELECT jsonb_agg(to_jsonb(own)) FROM (
               SELECT id, NULL AS coin, created_height, extract(epoch FROM created_at) AS created_at FROM payments
               WHERE payments.address_id = address.id AND amount IS NOT NULL
               UNION ALL
               SELECT id, coin, created_height, extract(epoch FROM created_at) FROM payments
               WHERE NOT address.for_payment AND payments.merchant_id = address.merchant_id
                 AND payments.user_reference = address.user_reference AND payments.network = ${network}
                 AND amount IS NULL AND ended_at IS NULL AND expires_at > statement_timestamp()
             ) own) AS payments
    FROM addresses address JOIN merchants merchant ON merchant.id = address.merchant_id
    WHERE address.network = ${network} AND address.match_key = ANY (${keyProbe(sql, keys)})`
  // The key is a prefix; the whole payee decides.
  const byPayee = new Map<string, MatchedAddress>()
  for (const row of rows) {
    byPayee.set(row.payee, {
      id: row.id,
      merchantId: row.merchant_id,
      userReference: row.user_reference,
      kind: row.kind,
      address: row.address,
      label: row.label,
      keyAccountId: row.key_account_id,
      assetPoolId: row.asset_pool_id,
      confirmationTiers: row.confirmation_tiers ?? [],
      payments: row.payments ?? [],
    })
  }
  if (byPayee.size === 0) return []
  const matches: Match<T>[] = []
  for (const transfer of transfers) {
    const address = byPayee.get(transfer.payee)
    if (address && transfer.amount >= least) matches.push({ transfer, address })
  }
  return matches
}
