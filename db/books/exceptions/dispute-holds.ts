/** Takes and releases what a dispute holds: journals between `available` and `reserved`, with their events. */

import type { Transaction } from '../../connect.js'
import { appendEvents, type NewEvent } from '../../events/log/append-events.js'
import { balanceChanged } from '../balances/balance-changed.js'
import { takeOwnFunds, takeUserFunds } from '../balances/own-funds.js'
import { type Journal, postJournals } from '../ledger/post-journal.js'
import { reverseJournal } from '../ledger/reverse-journal.js'

/** Amount of a party that is to be held. */
export interface Disputed {
  readonly network: string
  readonly coin: string
  /** User whose money it is. Empty: the merchant's own account. */
  readonly owner: string
  /** Base units. `null` holds all that is available. */
  readonly amount: bigint | null
}

interface Holder {
  readonly id: string
  readonly merchant_id: string
}

/**
 * Holds the amounts, or what is left of them. An amount of which nothing is left holds nothing.
 *
 * @param exception - Row that the caller holds locked, or has just stored.
 */
export async function takeHolds(
  tx: Transaction,
  exception: Holder,
  disputed: readonly Disputed[],
): Promise<void> {
  const { id, merchant_id: merchantId } = exception
  const holds = await holdable(tx, merchantId, disputed)
  if (holds.length === 0) return
  const [count] = await tx<{ number: number }[]>`
    SELECT count(*)::integer AS number FROM exception_holds WHERE exception_id = ${id}`
  const journals = holds.map(
    ({ network, coin, owner, amount }): Omit<Journal, 'merchantId'> => ({
      // A dispute may hold the same again after a refund that failed.
      idempotencyKey: `exception:${id}:held:${count?.number ?? 0}:${network}:${coin}:${owner}`,
      type: 'exception.held',
      reference: id,
      entries: [
        { network, coin, kind: 'available', owner, amount },
        { network, coin, kind: 'reserved', owner, amount: -amount },
      ],
    }),
  )
  const posted = await postJournals(tx, merchantId, journals)
  await tx`
    INSERT INTO exception_holds (exception_id, merchant_id, network, coin, owner, amount, journal_id)
    SELECT ${id}, ${merchantId}, * FROM unnest(
      ${holds.map((hold) => hold.network)}::text[], ${holds.map((hold) => hold.coin)}::text[],
      ${holds.map((hold) => hold.owner)}::text[], ${holds.map((hold) => hold.amount.toString())}::text[]::numeric[],
      ${posted.map((journal) => journal.journalId.toString())}::text[]::bigint[])`
  await appendEvents(tx, await Promise.all(holds.map((hold) => changed(tx, exception, hold, hold.amount))))
}

/** Releases all that an exception holds. Does nothing if it holds nothing. */
export async function releaseHolds(tx: Transaction, exception: Holder): Promise<void> {
  const { id, merchant_id: merchantId } = exception
  const released = await tx<(Hold & { journal_id: bigint })[]>`
    UPDATE exception_holds SET released_at = clock_timestamp()
    WHERE exception_id = ${id} AND released_at IS NULL
    RETURNING network, coin, owner, amount, journal_id`
  const events: NewEvent[] = []
  for (const { journal_id: journalId, ...hold } of released) {
    await reverseJournal(tx, {
      merchantId,
      journalId,
      idempotencyKey: `exception:${id}:released:${journalId}`,
      type: 'exception.released',
      reference: id,
    })
    events.push(await changed(tx, exception, hold, -hold.amount))
  }
  await appendEvents(tx, events)
}

interface Hold {
  readonly network: string
  readonly coin: string
  readonly owner: string
  /** Base units, above zero. */
  readonly amount: bigint
}

/** Returns what can be held, after it has made other payments of the same parties wait. */
async function holdable(tx: Transaction, merchantId: string, disputed: readonly Disputed[]): Promise<Hold[]> {
  // In one order everywhere, so that two disputes do not wait for each other.
  const order = ({ network, coin, owner }: Disputed) => `${network} ${coin} ${owner}`
  const sorted = [...disputed].sort((a, b) => (order(a) < order(b) ? -1 : 1))
  const holds: Hold[] = []
  const own = new Map<string, bigint>()
  for (const { network, coin, owner } of sorted) {
    const take = owner === '' ? takeOwnFunds : takeUserFunds
    own.set(`${network} ${coin} ${owner}`, await take(tx, merchantId, network, coin, owner))
  }
  // The rows of both kinds, in the order in which a posting locks them.
  const accounts = await tx<
    { network: string; coin: string; owner: string; kind: string; balance: bigint }[]
  >`
    SELECT account.network, account.coin, account.owner, account.kind, account.balance
    FROM ledger_accounts account
    JOIN unnest(
      ${sorted.map((each) => each.network)}::text[], ${sorted.map((each) => each.coin)}::text[],
      ${sorted.map((each) => each.owner)}::text[]) AS each (network, coin, owner) USING (network, coin, owner)
    WHERE account.merchant_id = ${merchantId} AND account.kind IN ('available', 'reserved')
    ORDER BY account.id FOR NO KEY UPDATE OF account`
  for (const each of sorted) {
    const account = accounts.find(
      ({ network, coin, owner, kind }) =>
        kind === 'available' && network === each.network && coin === each.coin && owner === each.owner,
    )
    const available = -(account?.balance ?? 0n)
    const funds = own.get(order(each)) ?? 0n
    const left = each.owner === '' && funds < available ? funds : available
    const amount = each.amount === null || left < each.amount ? left : each.amount
    if (amount > 0n) holds.push({ network: each.network, coin: each.coin, owner: each.owner, amount })
  }
  return holds
}

async function changed(
  tx: Transaction,
  { id, merchant_id: merchantId }: Holder,
  { network, coin, owner }: Hold,
  held: bigint,
): Promise<NewEvent> {
  return balanceChanged(tx, {
    merchantId,
    network,
    coin,
    decimals: await decimalsOf(tx, network, coin),
    party: owner === '' ? null : owner,
    available: -held,
    reserved: held,
    subject: id,
  })
}

/** Returns the decimal places of a coin that any configuration ever had. */
async function decimalsOf(tx: Transaction, network: string, coin: string): Promise<number> {
  const [row] = await tx<{ decimals: number }[]>`
    SELECT decimals FROM known_coins WHERE network = ${network} AND name = ${coin}`
  return row?.decimals ?? 0
}
