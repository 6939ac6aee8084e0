/**
 * Books falls of balances that no own payout made, and raises an exception for each. The books follow the
 * chain.
 */

import { chainCheck, driftOf } from '../../domain/books/difference.js'
import { knownCoin, type Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { appendAudit } from '../audit/append-audit.js'
import { closeCause } from '../books/exceptions/close-cause.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import { postJournal } from '../books/ledger/post-journal.js'
import { reverseJournal } from '../books/ledger/reverse-journal.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { newId } from '../new-id.js'
import { lowerRises } from './lower-rises.js'
import { riseCause } from './missed-cause.js'
import { riseException } from './record-rises.js'

export interface Fall {
  readonly merchantId: string
  readonly addressId: string
  readonly address: string
  readonly coin: string
  /** Height at which it was first seen. */
  readonly height: number
  /** Base units that the chain says, beside those of the books with all that is known. */
  readonly onChain: bigint
  readonly expected: bigint
}

/**
 * Records each fall once. It first lowers rises that no one has booked, so that coins that are gone cannot be credited.
 * Of the rest the address loses what the chain says, and the merchant's own account bears it; no user's balance changes.
 * Audit entries name both. @returns The events to append.
 */
export async function recordFalls(
  tx: Transaction,
  network: Network,
  falls: readonly Fall[],
): Promise<NewEvent[]> {
  const events: NewEvent[] = []
  for (const fall of falls) {
    const { merchantId, addressId, coin } = fall
    const vanished = await takeVanished(tx, network, fall)
    events.push(...vanished.events)
    const expected = fall.expected - vanished.amount
    const amount = expected - fall.onChain
    // A reconciliation may have seen the fall first. A journal that a person proposed about it would book it twice.
    await closeCause(tx, merchantId, driftAt(network.name, addressId, coin), {
      ...(amount === 0n ? { lowered: 'balance_rise' } : { booked_as: 'balance_fall' }),
      block_number: fall.height,
    })
    if (amount === 0n) continue
    const { journalId } = await postJournal(tx, {
      merchantId,
      // A block may leave the chain and come again. The row below makes it count once each time.
      idempotencyKey: newId('fall'),
      type: 'balance_fall.booked',
      reference: addressId,
      height: fall.height,
      entries: [
        { network: network.name, coin, kind: 'chain', owner: addressId, amount: -amount },
        { network: network.name, coin, kind: 'available', owner: '', amount },
      ],
    })
    await tx`
      INSERT INTO balance_falls (network, merchant_id, address_id, coin, block_number, amount, journal_id)
      VALUES (${network.name}, ${merchantId}, ${addressId}, ${coin}, ${fall.height}, ${amount}, ${journalId})`
    const shown = (units: bigint) => formatAmount(units, knownCoin(network, coin).decimals)
    const facts = {
      message:
        'The balance fell, and neither an own payout nor a transaction that the scan saw explains it. The books follow the chain, and the loss is on the merchant’s own account',
      network: network.name,
      address: fall.address,
      coin,
      amount: shown(amount),
      expected: shown(expected),
      on_chain: shown(fall.onChain),
      block_number: fall.height,
    }
    events.push(
      ...(await raiseExceptions(tx, [
        {
          merchantId,
          kind: 'drift',
          detail: 'balance.fell_without_payment',
          cause: causeOf(addressId, coin, fall.height),
          subject: { type: 'address', id: addressId },
          reason: facts.message,
          expected: facts.expected,
          actual: facts.on_chain,
          evidence: facts,
        },
      ])),
    )
    await appendAudit(tx, {
      merchantId,
      actor: 'system:chain-watcher',
      action: 'balance_fall.booked',
      subject: addressId,
      data: facts,
    })
  }
  return events
}

/**
 * Lowers unexplained rises that are not booked by as much as fell, and closes their exceptions, with which every request
 * to credit them ends. What is left of a rise has a new exception.
 *
 * @returns The base units that were taken, and the events to append.
 */
async function takeVanished(
  tx: Transaction,
  network: Network,
  fall: Fall,
): Promise<{ readonly amount: bigint; readonly events: NewEvent[] }> {
  const { merchantId, addressId, address, coin, height } = fall
  const events: NewEvent[] = []
  let amount = 0n
  const fell = fall.expected - fall.onChain
  for (const { rise, taken } of await lowerRises(tx, network.name, fall, fell, 'unbooked')) {
    amount += taken
    const shown = (units: bigint) => formatAmount(units, knownCoin(network, coin).decimals)
    const facts = {
      network: network.name,
      address,
      coin,
      vanished: shown(taken),
      left: shown(rise.amount),
      on_chain: shown(fall.onChain),
      block_number: height,
    }
    const wasOpen = await closeCause(
      tx,
      merchantId,
      riseCause(addressId, coin, rise.source, rise.reference),
      facts,
    )
    // A person who had decided that no user gets the coins is not asked about the rest.
    if (wasOpen && rise.amount > 0n)
      events.push(...(await raiseExceptions(tx, [riseException(network, rise)])))
    await appendAudit(tx, {
      merchantId,
      actor: 'system:chain-watcher',
      action: 'balance_rise.vanished',
      subject: addressId,
      data: { ...facts, reference: rise.reference },
    })
  }
  return { amount, events }
}

/** Reverts what was seen above a fork. What is still missing is found again. */
export async function revertFalls(tx: Transaction, network: string, height: number): Promise<void> {
  const gone = await tx<
    { merchant_id: string; address_id: string; coin: string; block_number: bigint; journal_id: bigint }[]
  >`
    DELETE FROM balance_falls WHERE network = ${network} AND block_number > ${height}
    RETURNING merchant_id, address_id, coin, block_number, journal_id`
  for (const row of gone) {
    await reverseJournal(tx, {
      merchantId: row.merchant_id,
      journalId: row.journal_id,
      idempotencyKey: `fall:${row.journal_id}:reverted`,
      type: 'balance_fall.reverted',
      reference: row.address_id,
    })
    const cause = causeOf(row.address_id, row.coin, Number(row.block_number))
    await closeCause(tx, row.merchant_id, cause, { reverted_above: height })
  }
}

/** Returns the cause of the exception that a comparison of the books with the chain raises about an address. */
function driftAt(network: string, addressId: string, coin: string): string {
  const subject = { type: 'address', id: addressId }
  return driftOf(chainCheck(network), { subject, network, coin, expected: null, actual: null }).cause
}

/** Returns the cause of the exception about a fall. */
function causeOf(addressId: string, coin: string, height: number): string {
  return `fall:${addressId}:${coin}:${height}`
}
