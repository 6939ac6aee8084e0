/** Compares the books of a backend with the platform's payments, as a daily job. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Payment } from '@keyturn/client'
import type { Books } from './books.js'

export interface Difference {
  readonly payment_id: string
  readonly order_id: string | null
  readonly field: 'payment' | 'status' | 'flags' | 'amount_confirmed' | 'recognised'
  readonly ours: string | null
  readonly theirs: string | null
}

export interface Comparison {
  readonly at: string
  /** Number of events that no webhook had brought. The books have them now. */
  readonly missed_events: number
  /** Number of payments that were compared. */
  readonly payments: number
  readonly differences: readonly Difference[]
}

export interface ComparisonParts<Own> {
  readonly client: Client
  readonly books: Books<Own>
  readonly prefix: string
  /** Returns what the backend did for a payment, as an amount. `null`: nothing. */
  recognised(payment: Payment): string | null
  /** Returns what the backend should have done for it. */
  expected(payment: Payment): string | null
}

/** A payment lives for at most a week; a month leaves time for everything that comes late. */
const WINDOW_MS = 31 * 86_400_000
/** A change may be visible a moment before its event, so a difference counts only when it stays. */
const ROUNDS = 4
const PAUSE_MS = 500

/** Reads the events that are new since the last comparison, then compares every payment of the last month. */
export async function compareBooks<Own>(parts: ComparisonParts<Own>): Promise<Comparison> {
  const { books } = parts
  let missed_events = 0
  for (let round = 1; ; round += 1) {
    missed_events += await readEvents(parts)
    const payments = await listPayments(parts)
    const differences = [...compareWith(payments, parts)]
    if (differences.length === 0 || round === ROUNDS)
      return { at: new Date().toISOString(), missed_events, payments: payments.size, differences }
    await sleep(PAUSE_MS)
  }

  async function readEvents({ client }: ComparisonParts<Own>): Promise<number> {
    let missed = 0
    let after = books.comparedTo
    for (;;) {
      const { items, pagination } = await client.events({ after, limit: 100 })
      for (const event of items) if (books.take(event)) missed += 1
      after = items.at(-1)?.sequence ?? after
      if (!pagination.has_more) break
    }
    if (after !== books.comparedTo) books.compared(after)
    return missed
  }
}

async function listPayments<Own>({ client, prefix }: ComparisonParts<Own>): Promise<Map<string, Payment>> {
  const found = new Map<string, Payment>()
  const from_date = new Date(Date.now() - WINDOW_MS).toISOString()
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await client.payments.list({ from_date, limit: 100, ...(cursor ? { cursor } : {}) })
    for (const payment of page.items)
      if (payment.order_id?.startsWith(prefix)) found.set(payment.payment_id, payment)
    cursor = page.pagination.next_cursor
  }
  return found
}

function* compareWith<Own>(
  theirs: ReadonlyMap<string, Payment>,
  { books, expected, recognised }: ComparisonParts<Own>,
): Generator<Difference> {
  for (const payment of theirs.values()) {
    const { payment_id, order_id } = payment
    const known = books.payments.get(payment_id)
    const differs = (field: Difference['field'], our: string | null, their: string | null) =>
      our === their ? [] : [{ payment_id, order_id, field, ours: our, theirs: their }]
    if (!known) {
      yield* differs('payment', null, payment.status)
      continue
    }
    yield* differs('status', known.status, payment.status)
    yield* differs('flags', known.flags.join(' '), payment.flags.join(' '))
    yield* differs('amount_confirmed', known.amount_confirmed, payment.amount_confirmed)
    yield* differs('recognised', recognised(payment), expected(payment))
  }
  const since = Date.now() - WINDOW_MS
  for (const { payment_id, order_id, status, created_at } of books.payments.values())
    if (!theirs.has(payment_id) && Date.parse(created_at) > since)
      yield { payment_id, order_id, field: 'payment', ours: status, theirs: null }
}
