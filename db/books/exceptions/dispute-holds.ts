/**
 * Takes and releases what disputes hold: journals between `available` and `reserved`, with their events.
 *
 * A hold belongs to one dispute, one coin and, unless it is of all that a user has, one deposit. A deposit is held once
 * at a time: of several disputes about it the oldest holds it, and when that one ends, the next takes what is released.
 */

import type { Transaction } from '../../connect.js'
import { appendEvents, type NewEvent } from '../../events/log/append-events.js'
import { balanceChanged } from '../balances/balance-changed.js'
import { type Party, takeFunds } from '../balances/own-funds.js'
import { holdAccounts, lockAccounts } from '../ledger/lock-accounts.js'
import { type Journal, postJournals } from '../ledger/post-journal.js'
import { reverseJournals } from '../ledger/reverse-journal.js'
import { readCovered } from './covered-deposits.js'

/** Amount of a party that is to be held. */
export interface Disputed extends Party {
  /** Base units. `null` holds all that is available. */
  readonly amount: bigint | null
  /** Deposit whose amount it is. `null` for all that a user has. */
  readonly depositId: string | null
}

/** Amount that is held, or was. */
export interface Hold extends Party {
  /** Base units, above zero. */
  readonly amount: bigint
  readonly depositId: string | null
}

interface Holder {
  readonly id: string
  readonly merchant_id: string
}

/**
 * Holds the amounts, or what is left of them. An amount of which nothing is left, and a deposit that is held already,
 * hold nothing.
 *
 * @param exception - Dispute that the caller has just stored. Nothing of the ledger is locked yet.
 */
export async function takeHolds(
  tx: Transaction,
  exception: Holder,
  disputed: readonly Disputed[],
): Promise<void> {
  const parties = partiesOf(disputed)
  const funds = await takeFunds(tx, exception.merchant_id, parties)
  const own = parties.flatMap((party, index) =>
    party.owner === '' ? [{ ...party, amount: funds[index] ?? 0n }] : [],
  )
  await placeHolds(tx, exception, disputed, own)
}

/**
 * Holds amounts that this transaction has made available. No other payment of the parties has to wait for that.
 *
 * @param budgets - Most that may be held of a party. One without a budget is limited by what is available alone.
 */
export async function placeHolds(
  tx: Transaction,
  exception: Holder,
  disputed: readonly Disputed[],
  budgets: readonly (Party & { readonly amount: bigint })[],
): Promise<readonly Hold[]> {
  const { id, merchant_id: merchantId } = exception
  const covered = await readCovered(
    tx,
    merchantId,
    disputed.flatMap((each) => each.depositId ?? []),
  )
  const open = disputed.filter((each) => each.depositId === null || !covered.has(each.depositId))
  const parties = partiesOf(open)
  const accounts = await lockAccounts(tx, merchantId, parties.flatMap(holdAccounts))
  const left = new Map(
    accounts.filter(({ kind }) => kind === 'available').map((each) => [nameOf(each), -each.balance]),
  )
  for (const budget of budgets) {
    const name = nameOf(budget)
    const available = left.get(name) ?? 0n
    // The own account may be in debt to users, and what becomes its own can be held all the same.
    left.set(name, budget.owner === '' || budget.amount < available ? budget.amount : available)
  }
  const holds = open.flatMap((each): Hold[] => {
    const available = left.get(nameOf(each)) ?? 0n
    const amount = each.amount === null || available < each.amount ? available : each.amount
    if (amount <= 0n) return []
    left.set(nameOf(each), available - amount)
    return [{ network: each.network, coin: each.coin, owner: each.owner, amount, depositId: each.depositId }]
  })
  if (holds.length === 0) return []
  const [count] = await tx<{ number: number }[]>`
    SELECT count(*)::integer AS number FROM exception_holds WHERE exception_id = ${id}`
  const journals = holds.map(
    ({ network, coin, owner, amount, depositId }): Omit<Journal, 'merchantId'> => ({
      // A dispute may hold the same again after a refund that failed.
      idempotencyKey: `exception:${id}:held:${count?.number ?? 0}:${network}:${coin}:${owner}:${depositId ?? ''}`,
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
    INSERT INTO exception_holds (exception_id, merchant_id, network, coin, owner, amount, journal_id, deposit_id)
    SELECT ${id}, ${merchantId}, * FROM unnest(
      ${holds.map((hold) => hold.network)}::text[], ${holds.map((hold) => hold.coin)}::text[],
      ${holds.map((hold) => hold.owner)}::text[], ${holds.map((hold) => hold.amount.toString())}::text[]::numeric[],
      ${posted.map((journal) => journal.journalId.toString())}::text[]::bigint[],
      ${holds.map((hold) => hold.depositId)}::text[])`
  await appendEvents(tx, await Promise.all(holds.map((hold) => changed(tx, exception, hold, hold.amount))))
  return holds
}

/**
 * Releases what an exception holds, each hold once. Does nothing if it holds nothing.
 *
 * @param paid - Amount of a party that is needed. Holds of that party and coin are released, oldest first, until they
 * suffice; what they hold above it is held on. Absent: everything is released.
 * @returns What was released.
 */
export async function releaseHolds(
  tx: Transaction,
  exception: Holder,
  paid?: Party & { readonly amount: bigint },
): Promise<readonly Hold[]> {
  const { id, merchant_id: merchantId } = exception
  const standing = await tx<(Hold & { journalId: bigint })[]>`
    SELECT network, coin, owner, amount, deposit_id AS "depositId", journal_id AS "journalId" FROM exception_holds
    WHERE exception_id = ${id} AND released_at IS NULL ORDER BY journal_id`
  let missing = paid?.amount ?? 0n
  const released = standing.filter((hold) => {
    if (paid === undefined) return true
    if (missing <= 0n || nameOf(hold) !== nameOf(paid)) return false
    missing -= hold.amount
    return true
  })
  if (released.length === 0) return []
  await reverseJournals(
    tx,
    merchantId,
    released.map(({ journalId }) => ({
      journalId,
      idempotencyKey: `exception:${id}:released:${journalId}`,
      type: 'exception.released',
      reference: id,
    })),
  )
  await tx`
    UPDATE exception_holds SET released_at = clock_timestamp()
    WHERE exception_id = ${id} AND released_at IS NULL
      AND journal_id = ANY (${released.map((hold) => hold.journalId.toString())}::text[]::bigint[])`
  const events: NewEvent[] = []
  for (const hold of released) events.push(await changed(tx, exception, hold, -hold.amount))
  await appendEvents(tx, events)
  const last = released.at(-1)
  if (missing < 0n && last) {
    await placeHolds(tx, exception, [{ ...last, amount: -missing }], [{ ...last, amount: -missing }])
  }
  return released.map(({ journalId: _, ...hold }) => hold)
}

/** Returns each party of the amounts once. */
function partiesOf(disputed: readonly Party[]): Party[] {
  const parties = new Map(
    disputed.map(({ network, coin, owner }) => [nameOf({ network, coin, owner }), { network, coin, owner }]),
  )
  return [...parties.values()]
}

/** Returns a name of a party's coin, by which amounts of the same party are found. */
export function nameOf({ network, coin, owner }: Party): string {
  return `${network} ${coin} ${owner}`
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
