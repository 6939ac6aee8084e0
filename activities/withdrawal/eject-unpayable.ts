/** Takes out of a part of a batch what must not or cannot be paid any more, before anything is built for it. */

import { type Ejection, ejectItems } from '../../db/batches/eject-items.js'
import { readRefusedItems } from '../../db/batches/item-screening.js'
import { newlySanctioned } from '../../db/batches/newly-sanctioned.js'
import type { PartOutput, WithdrawalRow } from '../../db/withdrawals/withdrawal-row.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { KeyturnError } from '../../domain/errors.js'
import { findNetwork, type Network } from '../../domain/network.js'
import type { WithdrawalChainDependencies } from './dependencies.js'

/**
 * Looks at each item of a part: a destination that came onto the sanctions list since the batch was asked for, that the screening
 * service did not approve, or that the network does not know (any more), is ejected. Withdrawals of other kinds pass as they are.
 *
 * @returns What is to be built; null when nothing is left.
 */
export async function ejectUnpayable(
  { sql, networks }: WithdrawalChainDependencies,
  row: WithdrawalRow,
): Promise<WithdrawalRow | null> {
  // What fills a nonce gap names the items of the part that it stands for, and pays none of them.
  if (row.outputs === null || row.kind !== 'batch_part') return row
  const network = findNetwork(networks, row.network)
  const sanctioned = await newlySanctioned(sql, row.id)
  const refused = await readRefusedItems(sql, row.id)
  const ejections = row.outputs.flatMap((output): Ejection[] => {
    if (sanctioned.has(output.index)) {
      const message = `${output.address} is on the sanctions list since this was asked for`
      return [{ index: output.index, code: 'SANCTIONED', message }]
    }
    const message = refused.get(output.index)
    if (message !== undefined) return [{ index: output.index, code: 'REJECTED_BY_SCREENING', message }]
    return invalid(network, output)
  })
  return ejections.length === 0 ? row : ejectItems(sql, networks, row.id, ejections)
}

function invalid(network: Network, { index, address }: PartOutput): Ejection[] {
  try {
    parseAddress(network, address)
    return []
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error
    return [{ index, code: error.code, message: error.message }]
  }
}
