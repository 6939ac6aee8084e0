/** Decides whether an EVM wallet's balance covers another attempt besides those already open. */

import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'

/**
 * Balance of a wallet on the chain at `height`, in base units: in the payout's coin, and in the native coin.
 */
export interface WalletBalance {
  readonly coin: bigint
  readonly native: bigint
  readonly height: number
}

/** What an attempt may cost the wallet, in base units. */
export interface Outgoing {
  readonly fromAddressId: string
  readonly coin: string
  readonly amount: bigint
  readonly maxFee: bigint
  readonly nativeCoin: string
  readonly balance: WalletBalance
}

/**
 * Compares the balance with this payout and all others that are open at the wallet: not mined yet, or mined
 * above the height at which the balance was read. Of several attempts of one payout only one is mined, so
 * each payout counts with its highest fee. The caller holds the account's lock, so that two builders see each
 * other's payouts.
 */
export async function coversOpenPayouts(
  tx: Transaction,
  row: Pick<PayoutRow, 'id'>,
  outgoing: Outgoing,
): Promise<boolean> {
  const { balance, coin, nativeCoin } = outgoing
  const [open] = await tx<{ coin: bigint; native: bigint; fees: bigint }[]>`
    SELECT coalesce(sum(in_coin), 0)::numeric AS coin, coalesce(sum(in_native), 0)::numeric AS native,
           coalesce(sum(fee), 0)::numeric AS fees
    FROM (
      SELECT max(amount) FILTER (WHERE coin = ${coin}) AS in_coin, max(amount) FILTER (WHERE coin = ${nativeCoin}) AS in_native,
             max(max_fee) AS fee
      FROM attempts
      WHERE from_address_id = ${outgoing.fromAddressId} AND payout_id <> ${row.id}
        AND (state IN ('built', 'signed', 'broadcast', 'mined')
             OR (state = 'final' AND block_number > ${balance.height}))
      GROUP BY payout_id
      HAVING NOT bool_or(coalesce(state = 'mined' AND block_number <= ${balance.height}, false))
    ) AS open`
  if (!open) throw new Error('Sums always exist')
  const native = coin === nativeCoin ? outgoing.amount : 0n
  return (
    balance.native >= open.native + open.fees + native + outgoing.maxFee &&
    (coin === nativeCoin || balance.coin >= open.coin + outgoing.amount)
  )
}
