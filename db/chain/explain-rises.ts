/** Takes what a rescan explains off what was unexplained, and closes the exceptions about it. */

import { byFamily } from '../../domain/chain/by-family.js'
import type { Network } from '../../domain/chain/network.js'
import { closeCauses } from '../books/exceptions/close-cause.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import type { Transaction } from '../connect.js'
import { ownerOf } from '../deposits/deposit-journal.js'
import type { DepositRow } from '../deposits/deposit-row.js'
import type { NewEvent } from '../events/log/append-events.js'
import { lowerRises } from './lower-rises.js'
import { missedCause, riseCause } from './missed-cause.js'
import { type Rise, riseException } from './record-rises.js'
import { takeBackRises } from './take-back-rises.js'

/**
 * Does so for deposits that a rescan recorded. What two people had credited of a rise is taken back, because the deposit
 * is credited in its place; what the deposit does not explain of it waits for people again.
 *
 * @returns The events to append.
 */
export async function explainRises(
  tx: Transaction,
  network: Network,
  deposits: readonly DepositRow[],
): Promise<NewEvent[]> {
  const events: NewEvent[] = []
  for (const deposit of deposits) {
    const { id, merchant_id: merchantId, address_id: addressId, coin, block_number: height } = deposit
    const evidence = { deposit: id, transaction_hash: deposit.txid, block_number: Number(height) }
    const missed = byFamily(network, {
      utxo: () => missedCause(network.name, `${deposit.txid}:${deposit.output_index}`),
      evm: () => missedCause(network.name, `${addressId}:${coin}`),
    })
    const lowered = await lowerRises(tx, network.name, { addressId, coin }, deposit.amount, { since: height })
    const causeOf = ({ reference }: Rise) => riseCause(addressId, coin, 'unexplained', reference)
    // The exception of a rise that is explained in part stands. If it was resolved by a credit, another one is raised.
    const ended = lowered.filter(({ rise, journalId }) => rise.amount === 0n || journalId !== null)
    await closeCauses(
      tx,
      [missed, ...ended.map(({ rise }) => causeOf(rise))].map((cause) => ({ merchantId, cause, evidence })),
    )
    const booked = lowered.filter(({ journalId }) => journalId !== null)
    const owner = ownerOf(deposit)
    const rest = booked.flatMap(({ rise }) => (rise.amount === 0n ? [] : [riseException(network, rise)]))
    events.push(
      ...(await takeBackRises(
        tx,
        network,
        booked.map(({ rise, journalId }) => ({ ...rise, journalId })),
        { by: 'deposit', owner, evidence },
      )),
      ...(await raiseExceptions(tx, rest)),
    )
  }
  return events
}
