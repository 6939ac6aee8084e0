/**
 * Records rises of balances that no transaction made, and raises an exception for each. A person decides
 * whose the coins are.
 */

import type { Block, Transfer } from '../../chains/adapter.js'
import { knownCoin, type Network, nativeCoin } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { closeCauses } from '../books/exceptions/close-cause.js'
import { type NewException, raiseExceptions } from '../books/exceptions/raise-exception.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import type { AddressFilter } from './address-filter.js'
import { matchTransfers } from './match-transfers.js'
import { missedCause, type RiseSource, riseCause } from './missed-cause.js'
import { type TakenBack, takeBackRises } from './take-back-rises.js'

export interface Rise {
  readonly merchantId: string
  readonly addressId: string
  readonly address: string
  readonly coin: string
  readonly source: RiseSource
  /** Index of the chain's own withdrawal, or the height at which the balance was compared. */
  readonly reference: string
  readonly height: number
  /** Amount in base units. */
  readonly amount: bigint
}

const MESSAGE: Readonly<Record<RiseSource, string>> = {
  validator_withdrawal:
    'A validator’s withdrawal arrived here without a transaction; it is in no user’s balance',
  unexplained:
    'The balance rose without a transaction that the scan saw (a mint by the chain, a token that changes balances, or a transfer by a contract where nodes give no traces); it is in no user’s balance',
}

/**
 * Finds what the chain itself paid to own addresses in these blocks, and records it.
 *
 * @returns The events to append.
 */
export async function recordGrants(
  tx: Transaction,
  network: Network,
  blocks: readonly Block[],
  filter?: AddressFilter,
): Promise<NewEvent[]> {
  const coin = nativeCoin(network).name
  const grants = new Map<Transfer, { readonly reference: string; readonly height: number }>()
  for (const block of blocks) {
    for (const { payee, amount, reference } of block.grants ?? []) {
      grants.set({ txid: '', index: 0, payee, coin, amount }, { reference, height: block.height })
    }
  }
  if (grants.size === 0) return []
  const matches = await matchTransfers(tx, network.name, [...grants.keys()], filter)
  return recordRises(
    tx,
    network,
    matches.flatMap(({ transfer, address }): Rise[] => {
      const grant = grants.get(transfer)
      if (!grant) return []
      return [
        {
          ...grant,
          merchantId: address.merchantId,
          addressId: address.id,
          address: address.address,
          coin,
          source: 'validator_withdrawal',
          amount: transfer.amount,
        },
      ]
    }),
  )
}

/** Records each rise once. @returns The events to append. */
export async function recordRises(
  tx: Transaction,
  network: Network,
  rises: readonly Rise[],
): Promise<NewEvent[]> {
  if (rises.length === 0) return []
  const fresh = await tx<{ address_id: string; coin: string; reference: string }[]>`
    INSERT INTO balance_rises (network, address_id, coin, source, reference, block_number, amount)
    SELECT ${network.name}, address_id, coin, source, reference, height, amount
    FROM unnest(
      ${rises.map((rise) => rise.addressId)}::text[], ${rises.map((rise) => rise.coin)}::text[],
      ${rises.map((rise) => rise.source)}::text[], ${rises.map((rise) => rise.reference)}::text[],
      ${rises.map((rise) => rise.height)}::bigint[], ${rises.map((rise) => rise.amount.toString())}::text[]::numeric[]
    ) AS rise (address_id, coin, source, reference, height, amount)
    ON CONFLICT DO NOTHING RETURNING address_id, coin, reference`
  const key = (addressId: string, coin: string, reference: string) => `${addressId} ${coin} ${reference}`
  const inserted = new Set(fresh.map((row) => key(row.address_id, row.coin, row.reference)))
  const newRises = rises.filter((rise) => inserted.has(key(rise.addressId, rise.coin, rise.reference)))
  // A reconciliation may have missed the same coins first. A credit of both exceptions would pay twice.
  await closeCauses(
    tx,
    newRises.map(({ merchantId, addressId, coin, height }) => ({
      merchantId,
      cause: missedCause(network.name, `${addressId}:${coin}`),
      evidence: { recorded_as: 'balance_rise', block_number: height },
    })),
  )
  return raiseExceptions(
    tx,
    newRises.map((rise) => riseException(network, rise)),
  )
}

/** Returns the exception about a rise that lies outside the books. */
export function riseException(network: Network, rise: Rise): NewException {
  const amount = formatAmount(rise.amount, knownCoin(network, rise.coin).decimals)
  return {
    merchantId: rise.merchantId,
    kind: 'unattributed',
    detail: 'balance.rose_without_transaction',
    cause: riseCause(rise.addressId, rise.coin, rise.source, rise.reference),
    subject: { type: 'address', id: rise.addressId },
    reason: MESSAGE[rise.source],
    expected: '0',
    actual: amount,
    evidence: {
      source: rise.source,
      reference: rise.reference,
      network: network.name,
      address: rise.address,
      coin: rise.coin,
      amount,
      block_number: rise.height,
    },
  }
}

/**
 * Deletes the rises above a fork, takes back what was booked of them, and closes their exceptions. Those that are still
 * there are found again.
 *
 * @returns The events to append.
 */
export async function forgetRises(tx: Transaction, network: Network, height: number): Promise<NewEvent[]> {
  const gone = await tx<(TakenBack & { source: RiseSource; reference: string })[]>`
    DELETE FROM balance_rises rise USING addresses address
    WHERE rise.network = ${network.name} AND rise.block_number > ${height} AND address.id = rise.address_id
    RETURNING address.merchant_id AS "merchantId", rise.address_id AS "addressId", address.address, rise.coin,
              rise.source, rise.reference, rise.journal_id AS "journalId"`
  await closeCauses(
    tx,
    gone.map((row) => ({
      merchantId: row.merchantId,
      cause: riseCause(row.addressId, row.coin, row.source, row.reference),
      evidence: { reverted_above: height },
    })),
  )
  return takeBackRises(tx, network, gone, { by: 'reorg', evidence: { reverted_above: height } })
}
