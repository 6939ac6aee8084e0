/** Lets other disputes hold what a dispute has released, because what they concern stays disputed. */

import type { Transaction } from '../../connect.js'
import { concernedBy } from './concerned-by.js'
import { type Disputed, type Hold, nameOf, placeHolds } from './dispute-holds.js'
import { lockDisputes } from './dispute-locks.js'

/**
 * Holds what was released for the other disputes that concern it, oldest first. Call it after the release, and before
 * what is paid of it is posted.
 *
 * @param released - What the exception held until now.
 * @param paid - Amount that its resolution moves to another party. No dispute can hold that.
 */
export async function handOverHolds(
  tx: Transaction,
  exception: { readonly id: string; readonly merchant_id: string; readonly user_reference: string | null },
  released: readonly Hold[],
  paid: Omit<Hold, 'depositId'> | null,
): Promise<void> {
  if (released.length === 0) return
  const { merchant_id: merchantId, user_reference: userReference } = exception
  let freed = lessPaid(released, paid)
  for (const dispute of await lockDisputes(tx, merchantId, userReference)) {
    if (dispute.id === exception.id || freed.length === 0) continue
    const { type, id } = { type: dispute.subject_type, id: dispute.subject_id }
    const wanted =
      type === 'user' ? freed : amountsIn(freed, (await concernedBy(tx, merchantId, { type, id })).amounts)
    const taken = await placeHolds(tx, dispute, wanted, budgetsOf(freed))
    for (const hold of taken) freed = lessPaid(freed, hold)
  }
}

/** Returns the released holds without an amount of one party, which is taken from the newest. */
function lessPaid(released: readonly Hold[], paid: Omit<Hold, 'depositId'> | null): Hold[] {
  let left = paid?.amount ?? 0n
  return [...released]
    .reverse()
    .flatMap((hold) => {
      if (paid === null || nameOf(hold) !== nameOf(paid) || left <= 0n) return [hold]
      const amount = hold.amount > left ? hold.amount - left : 0n
      left -= hold.amount - amount
      return amount > 0n ? [{ ...hold, amount }] : []
    })
    .reverse()
}

function amountsIn(freed: readonly Hold[], amounts: readonly Disputed[]): Disputed[] {
  const names = new Set(freed.map(nameOf))
  return amounts.filter((each) => names.has(nameOf(each)))
}

function budgetsOf(freed: readonly Hold[]): Omit<Hold, 'depositId'>[] {
  const sums = new Map<string, Omit<Hold, 'depositId'>>()
  for (const { network, coin, owner, amount } of freed) {
    const name = nameOf({ network, coin, owner })
    sums.set(name, { network, coin, owner, amount: (sums.get(name)?.amount ?? 0n) + amount })
  }
  return [...sums.values()]
}
