/** The ledger entries of a payout: what is held when it is accepted, released, or paid. */

import { isMovement } from '../../domain/payouts/treasury.js'
import type { Journal, JournalEntry } from '../books/ledger/post-journal.js'
import type { PayoutRow } from './payout-row.js'

type Terms = Pick<
  PayoutRow,
  | 'id'
  | 'merchant_id'
  | 'network'
  | 'coin'
  | 'amount'
  | 'fee_coin'
  | 'fee_limit'
  | 'fee_payer'
  | 'user_reference'
> & {
  readonly kind?: PayoutRow['kind']
  /** Each end of a payout that was reopened has idempotency keys of its own. */
  readonly reopened?: number
}

/**
 * What left the merchant's addresses, by owner in the ledger, in base units. Positive amounts leave, negative
 * ones come back (change).
 */
export interface Outflow {
  readonly addressId: string
  readonly coin: string
  readonly amount: bigint
}

/**
 * Returns whose money is held: the amount on the user (or on the merchant's own account ''), and the fee with
 * it or, for a token, on ''. A movement between own wallets holds the fee alone, always on '': the amount
 * stays the merchant's, whichever wallet pays the fee.
 */
export function holders(terms: Terms): { readonly amount: string; readonly fee: string | null } {
  const amount = terms.user_reference ?? ''
  if (isMovement(terms.kind)) return { amount: '', fee: '' }
  if (terms.fee_payer === 'recipient') return { amount, fee: null }
  return { amount, fee: terms.coin === terms.fee_coin ? amount : '' }
}

/** Returns available → reserved: the amount, and the fee limit when the sender pays it. */
export function holdJournal(terms: Terms): Journal {
  const { amount, fee } = holders(terms)
  const entries: JournalEntry[] = [
    ...(isMovement(terms.kind) ? [] : move(terms, terms.coin, amount, 'available', terms.amount)),
    ...(fee === null ? [] : move(terms, terms.fee_coin, fee, 'available', terms.fee_limit)),
  ]
  return journal(terms, 'hold', 'withdrawal.held', entries)
}

/** Returns the reverse of the hold, for a payout that paid nothing. */
export function releaseJournal(terms: Terms): Journal {
  return {
    ...journal(terms, 'release', 'withdrawal.released', []),
    entries: holdJournal(terms).entries.map((entry) => ({ ...entry, amount: -entry.amount })),
  }
}

/**
 * Returns what a part of a batch held for items that were taken out of it. Its fee limit stays held.
 *
 * @param indices - Indices of the items in the batch.
 */
export function ejectJournal(terms: Terms, amount: bigint, indices: readonly number[]): Journal {
  const entries = move(terms, terms.coin, holders(terms).amount, 'reserved', amount)
  return journal(terms, `eject:${indices.join(',')}`, 'withdrawal.released', entries)
}

/**
 * Returns reserved → what left the addresses, by coin, and the rest of the hold → available. A reverted EVM
 * transaction has only its fee in `outflows`.
 *
 * What the network took above the hold is the merchant's own: a chain with a fee of its parent chain can take
 * more than was agreed, no user agreed to more, and the books must say what the chain says.
 *
 * @param fee - What the network took, in base units of `fee_coin`. At most so much may have left above the
 * hold.
 * @throws Error when more left than that. Such an outcome is never posted: a person has to examine it.
 */
export function settleJournal(terms: Terms, outflows: readonly Outflow[], fee = 0n): Journal {
  const spent = new Map<string, bigint>()
  const entries: JournalEntry[] = []
  for (const { addressId, coin, amount } of outflows) {
    entries.push({ network: terms.network, coin, kind: 'chain', owner: addressId, amount: -amount })
    spent.set(coin, (spent.get(coin) ?? 0n) + amount)
  }
  const { amount, fee: feeHolder } = holders(terms)
  const holds = isMovement(terms.kind) ? [] : [{ coin: terms.coin, owner: amount, held: terms.amount }]
  if (feeHolder !== null) holds.push({ coin: terms.fee_coin, owner: feeHolder, held: terms.fee_limit })
  for (const coin of new Set(holds.map((each) => each.coin))) {
    // Amount and fee of one coin have one owner, so their holds are one.
    const parts = holds.filter((each) => each.coin === coin)
    const owner = parts[0]?.owner ?? ''
    const held = parts.reduce((sum, each) => sum + each.held, 0n)
    const left = spent.get(coin) ?? 0n
    spent.delete(coin)
    const over = left - held
    // Coins that are spent without change leave their surplus to the fee. No recipient bears it, so it is the
    // merchant's own.
    if (over > mostOver(terms, coin, fee))
      throw new Error(`Withdrawal ${terms.id} spent ${left} ${coin}, but only ${held} were held`)
    entries.push({ network: terms.network, coin, kind: 'reserved', owner, amount: held })
    entries.push({
      network: terms.network,
      coin,
      kind: 'available',
      owner: over > 0n ? '' : owner,
      amount: over,
    })
  }
  for (const [coin, amount] of spent) {
    // A token that charges a fee delivers less than left. Between own wallets that is a cost of the
    // merchant's own.
    if (isMovement(terms.kind) && coin === terms.coin) {
      entries.push({ network: terms.network, coin, kind: 'available', owner: '', amount })
      continue
    }
    if (amount !== 0n)
      throw new Error(`Withdrawal ${terms.id} spent ${amount} ${coin}, none of which was held`)
  }
  return journal(terms, 'settle', 'withdrawal.settled', entries)
}

function mostOver(terms: Terms, coin: string, fee: bigint): bigint {
  if (coin !== terms.fee_coin) return 0n
  return terms.fee_payer === 'recipient' && terms.fee_limit > fee ? terms.fee_limit : fee
}

/**
 * Returns the journal of a cancelling transaction that took the payout's place: the whole hold is released,
 * and the network's fee is the merchant's own, even when a user requested the payout.
 */
export function cancelJournal(terms: Terms, outflows: readonly Outflow[]): Journal {
  const spent = outflows.flatMap(({ addressId, coin, amount }): JournalEntry[] => [
    { network: terms.network, coin, kind: 'chain', owner: addressId, amount: -amount },
    { network: terms.network, coin, kind: 'available', owner: '', amount },
  ])
  const { entries } = releaseJournal(terms)
  return journal(terms, 'cancel', 'withdrawal.cancelled', [...entries, ...spent])
}

function move(
  terms: Terms,
  coin: string,
  owner: string,
  from: 'available' | 'reserved',
  amount: bigint,
): JournalEntry[] {
  const to = from === 'available' ? 'reserved' : 'available'
  return [
    { network: terms.network, coin, kind: from, owner, amount },
    { network: terms.network, coin, kind: to, owner, amount: -amount },
  ]
}

/** Makes a journal with one entry an account, and none of zero. */
function journal(terms: Terms, step: string, type: string, entries: readonly JournalEntry[]): Journal {
  const merged = new Map<string, JournalEntry>()
  for (const entry of entries) {
    const key = [entry.coin, entry.kind, entry.owner].join('\n')
    const known = merged.get(key)
    merged.set(key, known ? { ...known, amount: known.amount + entry.amount } : entry)
  }
  return {
    merchantId: terms.merchant_id,
    idempotencyKey: `${terms.id}:${step}${terms.reopened ? `:${terms.reopened}` : ''}`,
    type,
    reference: terms.id,
    entries: [...merged.values()].filter((entry) => entry.amount !== 0n),
  }
}
