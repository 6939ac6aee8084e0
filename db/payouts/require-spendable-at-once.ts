/**
 * Rejects a payout when small outputs must be consolidated first, which would otherwise wait until it
 * expires.
 */

import { byFamily } from '../../domain/chain/by-family.js'
import type { Coin, Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount } from '../../domain/money.js'
import type { Transaction } from '../connect.js'
import { MOST_INPUTS } from './attempts/list-spendable-outputs.js'

/**
 * Compares what one transaction has to pay with the largest outputs that one can spend, whether they are free
 * at the moment or not. When all outputs together would not be enough either, other checks say what is
 * missing.
 *
 * @param need - Base units, including the fee when the sender pays it.
 * @throws KeyturnError `INVALID_STATE` {reason: `CONSOLIDATION_NEEDED`, requested, spendable_at_once, owned,
 * coin}.
 */
export async function requireSpendableAtOnce(
  tx: Transaction,
  request: {
    readonly merchantId: string
    readonly network: Network
    readonly coin: Coin
    readonly fromAddressId: string | null
  },
  need: bigint,
): Promise<void> {
  const { merchantId, network, coin, fromAddressId } = request
  const paysFromOutputs = byFamily(network, { utxo: () => true, evm: () => false })
  if (!paysFromOutputs) return
  const [row] = await tx<{ owned: bigint; at_once: bigint }[]>`
    SELECT coalesce(sum(amount), 0)::numeric AS owned,
           coalesce(sum(amount) FILTER (WHERE place <= ${MOST_INPUTS}), 0)::numeric AS at_once
    FROM (
      SELECT output.amount, row_number() OVER (ORDER BY output.amount DESC) AS place
      FROM utxos output
      WHERE output.merchant_id = ${merchantId} AND output.network = ${network.name}
        AND output.spent_by IS NULL AND output.block_number IS NOT NULL
        AND (${fromAddressId}::text IS NULL OR output.address_id = ${fromAddressId}
             OR EXISTS (
               SELECT 1 FROM addresses change
               JOIN addresses wallet ON wallet.id = ${fromAddressId} AND wallet.kind = 'master'
               WHERE change.id = output.address_id AND change.kind = 'change'))
    ) AS ranked`
  const { owned, at_once } = row ?? { owned: 0n, at_once: 0n }
  if (at_once >= need || owned < need) return
  const whole = (units: bigint) => formatAmount(units, coin.decimals)
  throw new KeyturnError(
    'INVALID_STATE',
    `${whole(need)} ${coin.name} is there, but in more than ${MOST_INPUTS} small outputs, and one transaction can spend ${whole(at_once)} at most. Consolidate them first with POST /movements/consolidate, or request smaller payouts`,
    {
      details: {
        reason: 'CONSOLIDATION_NEEDED',
        network: network.name,
        coin: coin.name,
        requested: whole(need),
        spendable_at_once: whole(at_once),
        owned: whole(owned),
      },
    },
  )
}
