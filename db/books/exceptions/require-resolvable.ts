/** Requires that a resolution can be booked: its sender, the address that is written off, or the rise has the amount. */

import type { Coin, Network } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { RecordedRise } from '../../chain/find-rise.js'
import { requireBookable } from '../../chain/require-bookable.js'
import type { Transaction } from '../../connect.js'
import { readUserFunds, takeOwnFunds } from '../balances/own-funds.js'

interface Resolvable {
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
  readonly amount: bigint
  readonly from: string | null
  readonly to: string | null
  readonly addressId: string | null
  /** Rise of a balance that a credit books. `null` for other journals. */
  readonly rise: RecordedRise | null
}

/**
 * Requires the amount. What the exception itself holds counts, because its resolution releases it. The caller that
 * books it has locked the accounts.
 *
 * @returns The address that is written off, or whose balance rose. `null` for the other resolutions.
 * @throws KeyturnError `SAME_PARTY`, `NOT_FOUND` (address_id), `INSUFFICIENT_BALANCE`, those of `requireBookable`.
 */
export async function requireResolvable(
  tx: Transaction,
  exception: { readonly id: string },
  request: Resolvable,
): Promise<string | null> {
  if (request.rise !== null) {
    await requireBookable(tx, request.rise, request)
    return request.rise.address
  }
  if (request.addressId !== null) return requireAtAddress(tx, request, request.addressId)
  const { merchantId, network, coin, from, amount } = request
  if (from === request.to) {
    throw new KeyturnError(
      'SAME_PARTY',
      'The journal moves between two different parties; change one of them',
      {
        details: { user_reference: from },
      },
    )
  }
  const asset = [merchantId, network.name, coin.name] as const
  const [held] = await tx<{ amount: bigint }[]>`
    SELECT coalesce(sum(amount), 0)::numeric AS amount FROM exception_holds
    WHERE exception_id = ${exception.id} AND released_at IS NULL AND network = ${network.name} AND coin = ${coin.name}
      AND owner = ${from ?? ''}`
  const funds = await (from === null ? takeOwnFunds(tx, ...asset) : readUserFunds(tx, ...asset, from))
  requireEnough(coin, amount, funds + (held?.amount ?? 0n))
  return null
}

async function requireAtAddress(
  tx: Transaction,
  { merchantId, network, coin, amount }: Resolvable,
  addressId: string,
): Promise<string> {
  const [address] = await tx<{ address: string }[]>`
    SELECT address FROM addresses WHERE id = ${addressId} AND merchant_id = ${merchantId} AND network = ${network.name}`
  if (!address) {
    throw new KeyturnError('NOT_FOUND', 'There is no such address on this network; check address_id', {
      details: { address_id: addressId, network: network.name },
    })
  }
  const [account] = await tx<{ balance: bigint }[]>`
    SELECT balance FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name} AND kind = 'chain'
      AND owner = ${addressId}`
  requireEnough(coin, amount, account?.balance ?? 0n)
  return address.address
}

function requireEnough(coin: Coin, amount: bigint, available: bigint): void {
  if (available >= amount) return
  throw new KeyturnError(
    'INSUFFICIENT_BALANCE',
    'The amount is more than there is; send at most what is available',
    {
      details: {
        requested: formatAmount(amount, coin.decimals),
        available: formatAmount(available > 0n ? available : 0n, coin.decimals),
        coin: coin.name,
      },
    },
  )
}
