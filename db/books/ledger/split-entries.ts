/** Splits what leaves in a journal: what the network took as a fee, what went to another own address, and the rest. */

import type { JournalEntry } from './journal-entry.js'

/** Fees of a journal by coin, in base units. */
export type Fees = Readonly<Record<string, bigint>>

/**
 * Returns the entries with `fee` and `moved` on those that leave. What is neither was paid to others. Change
 * and movements are taken from the addresses first, then the fee. Of the owners, the first one bears what was
 * paid, and what is left over is the fee: of a payout that cost more than was held, the merchant's own
 * account bears fee alone.
 */
export function splitEntries(entries: readonly JournalEntry[], fees: Fees): JournalEntry[] {
  const split = entries.map((entry) => ({ ...entry }))
  for (const coin of new Set(entries.map((entry) => entry.coin))) {
    const own = split.filter((entry) => entry.coin === coin)
    const addresses = own.filter((entry) => entry.kind === 'chain')
    const left = -sum(addresses)
    const fee = least(fees[coin] ?? 0n, left)
    splitAddresses(addresses, fee)
    splitOwners(own, left - fee)
  }
  return split
}

type Split = { -readonly [Field in keyof JournalEntry]: JournalEntry[Field] }

function splitAddresses(addresses: readonly Split[], fee: bigint): void {
  let staying = sum(addresses.filter((entry) => entry.amount > 0n))
  let feeLeft = fee
  for (const entry of addresses) {
    if (entry.amount > 0n) continue
    const moved = least(staying, -entry.amount)
    const part = least(feeLeft, -entry.amount - moved)
    staying -= moved
    feeLeft -= part
    if (moved > 0n) entry.moved = moved
    if (part > 0n) entry.fee = part
  }
}

function splitOwners(own: readonly Split[], paid: bigint): void {
  const liabilities = own.filter((entry) => entry.kind === 'available' || entry.kind === 'reserved')
  // A user pays before the merchant's own account, which bears what is over.
  const owners = [...new Set(liabilities.map((entry) => entry.owner))].sort((one, other) =>
    one === '' ? 1 : other === '' ? -1 : 0,
  )
  let paidLeft = paid
  for (const owner of owners) {
    const entries = liabilities.filter((entry) => entry.owner === owner)
    const net = sum(entries)
    const [first] = entries
    if (!first || net <= 0n) continue
    const share = least(paidLeft, net)
    paidLeft -= share
    if (net > share) first.fee = net - share
  }
}

function sum(entries: readonly JournalEntry[]): bigint {
  return entries.reduce((total, entry) => total + entry.amount, 0n)
}

/** Returns the smaller amount, never below 0. */
function least(one: bigint, other: bigint): bigint {
  const smaller = one < other ? one : other
  return smaller > 0n ? smaller : 0n
}
