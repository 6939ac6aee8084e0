/** Takes out what must not or cannot be paid any more, before anything is built for it. */

import { findNewlyListed } from '../../../db/controls/sanctions/find-newly-listed.js'
import { type Ejection, ejectItems } from '../../../db/payouts/batches/eject-items.js'
import { readRefusedItems } from '../../../db/payouts/batches/item-screening.js'
import { holdListed } from '../../../db/payouts/hold-listed.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import { findOwnWallets, type OwnWallets, ownWalletError } from '../../../db/wallets/find-own-wallets.js'
import { parseAddress } from '../../../domain/address/parse-address.js'
import { findNetwork, type Network } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { closeFailed } from './close-failed.js'
import type { WithdrawalChainDependencies } from './dependencies.js'

/**
 * Checks each item of a part. Ejects an item whose destination came onto the sanctions list after the batch
 * was requested, or that the screening service did not approve, or that is no valid address of the network
 * (any more). A withdrawal whose destination came onto the list goes to a reviewer, and one with an invalid
 * address fails. Movements pass unchecked, because they pay the merchant's own wallets.
 *
 * @returns The row to build for. `null` when nothing is left.
 */
export async function ejectUnpayable(
  dependencies: WithdrawalChainDependencies,
  row: PayoutRow,
): Promise<PayoutRow | null> {
  const { sql, networks } = dependencies
  const network = findNetwork(networks, row.network)
  if (row.kind === 'withdrawal') {
    const own = await findOwnWallets(sql, row.merchant_id, network, [row.to_address])
    const reason = whyInvalid(network, row.to_address, own)
    if (reason !== null) {
      await closeFailed(dependencies, row.id, reason)
      return null
    }
    // An address that is not listed needs no lock of the row. One that is, is compared again under it.
    const newlyListed = (await findNewlyListed(sql, [row.id])).has(row.id)
    return newlyListed && (await holdListed(sql, networks, row.id)) ? null : row
  }
  // A nonce fill names the items of the part that it stands for, and pays none of them.
  if (row.outputs === null || row.kind !== 'batch_part') return row
  const own = await findOwnWallets(
    sql,
    row.merchant_id,
    network,
    row.outputs.map((output) => output.address),
  )
  const listed = (await findNewlyListed(sql, [row.id])).get(row.id)
  const refused = await readRefusedItems(sql, row.id)
  const ejections = row.outputs.flatMap((output): Ejection[] => {
    if (listed?.has(output.address)) {
      const message = `${output.address} is on the sanctions list since this was asked for`
      return [{ index: output.index, code: 'SANCTIONED', message }]
    }
    const message = refused.get(output.index)
    if (message !== undefined) return [{ index: output.index, code: 'REJECTED_BY_SCREENING', message }]
    const reason = whyInvalid(network, output.address, own)
    return reason === null ? [] : [{ index: output.index, ...reason }]
  })
  return ejections.length === 0 ? row : ejectItems(sql, networks, row.id, ejections)
}

/**
 * Returns why an address cannot be paid, or `null`. It was valid when it was accepted; rules and
 * configuration may have changed since.
 */
function whyInvalid(
  network: Network,
  address: string,
  own: OwnWallets,
): { code: string; message: string } | null {
  try {
    parseAddress(network, address)
    const kind = own.get(address)
    if (kind !== undefined) throw ownWalletError(network, address, kind)
    return null
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error
    return { code: error.code, message: error.message }
  }
}
