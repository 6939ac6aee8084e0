/**
 * Keeps what a backend knows: the payments that it requested, what webhooks said about them, and entries of its
 * own. Everything is a fold over the journal: the same entries always give the same state.
 */

import type { MerchantEvent, NewPayment, Payment, Withdrawal } from '@keyturn/client'
import { openJournal } from './journal.js'

/** What one journal holds. `Own` are the entries of the backend itself. */
type Entry<Own> =
  | { readonly kind: 'requesting'; readonly wanted: NewPayment }
  | { readonly kind: 'requested'; readonly payment: Payment }
  | { readonly kind: 'refused'; readonly order_id: string; readonly code: string }
  | { readonly kind: 'event'; readonly event: MerchantEvent }
  | { readonly kind: 'compared'; readonly sequence: number }
  | { readonly kind: 'own'; readonly at: string; readonly entry: Own }

/** What follows from an entry. A rule changes the state in memory and nothing else, so it may run again. */
export interface Rules<Own> {
  /** Begin of the order ids of this backend. Events of other orders are not for it. */
  readonly prefix: string
  own(entry: Own, at: string): void
  /** Takes the newest state of a payment. It never goes back to an older state. */
  payment(now: Payment): void
  /** Takes the newest state of a withdrawal with an `external_id` of this backend. */
  withdrawal?(now: Withdrawal): void
}

export interface Books<Own> {
  readonly payments: ReadonlyMap<string, Payment>
  /** Payments that the platform may not have heard of, because this process died. */
  unanswered(): readonly NewPayment[]
  /** Writes an entry of the backend. */
  write(entry: Own): void
  /** Writes that a payment is about to be requested. */
  requesting(wanted: NewPayment): void
  /** Writes the answer. A webhook that came before the answer counts more. */
  requested(payment: Payment): void
  /** Writes that the platform refuses a payment, so that it is not requested again. */
  refused(orderId: string, code: string): void
  /** Writes a verified event. @returns Whether it was new and concerns this backend. */
  take(event: MerchantEvent): boolean
  /** Sequence of the last event that the daily comparison read. */
  readonly comparedTo: number
  compared(sequence: number): void
  close(): void
}

/** Opens the books, and applies every entry of the journal. */
export function openBooks<Own>(path: string, rules: Rules<Own>): Books<Own> {
  const journal = openJournal<Entry<Own>>(path)
  const payments = new Map<string, Payment>()
  const requests = new Map<string, NewPayment>()
  /** Ids of events, because each may be delivered more than once. */
  const seen = new Set<string>()
  /** Sequence of the newest event of each object, because events may come in another order. */
  const newest = new Map<string, number>()
  let comparedTo = 0

  function apply(entry: Entry<Own>): void {
    switch (entry.kind) {
      case 'own':
        rules.own(entry.entry, entry.at)
        return
      case 'requesting':
        requests.set(entry.wanted.order_id ?? '', entry.wanted)
        return
      case 'requested':
        if (!payments.has(entry.payment.payment_id)) upsert(entry.payment)
        return
      case 'refused':
        requests.delete(entry.order_id)
        return
      case 'compared':
        comparedTo = entry.sequence
        return
      case 'event':
        applyEvent(entry.event)
        return
    }
  }

  function applyEvent(event: MerchantEvent): void {
    seen.add(event.id)
    const { event: type, data, sequence } = event
    const subject = type === 'payment.status_changed' ? data.payment_id : String((data as { id: string }).id)
    if (sequence < (newest.get(subject) ?? 0)) return
    newest.set(subject, sequence)
    if (type === 'payment.status_changed') upsert(data)
    if (type === 'withdrawal.status_changed') rules.withdrawal?.(data)
  }

  function upsert(payment: Payment): void {
    requests.delete(payment.order_id ?? '')
    payments.set(payment.payment_id, payment)
    rules.payment(payment)
  }

  function isOurs(event: MerchantEvent): boolean {
    if (event.event === 'payment.status_changed') return !!event.data.order_id?.startsWith(rules.prefix)
    if (event.event !== 'withdrawal.status_changed') return false
    return rules.withdrawal !== undefined && !!event.data.external_id?.startsWith(rules.prefix)
  }

  /** Applies an entry once it is on the disk. */
  function put(entry: Entry<Own>): void {
    journal.append(entry)
    apply(entry)
  }

  for (const entry of journal.entries) apply(entry)
  return {
    payments,
    unanswered: () => [...requests.values()],
    write: (entry) => put({ kind: 'own', at: new Date().toISOString(), entry }),
    requesting: (wanted) => put({ kind: 'requesting', wanted }),
    requested: (payment) => put({ kind: 'requested', payment }),
    refused: (order_id, code) => put({ kind: 'refused', order_id, code }),
    take(event) {
      if (!isOurs(event) || seen.has(event.id)) return false
      put({ kind: 'event', event })
      return true
    },
    get comparedTo() {
      return comparedTo
    },
    compared: (sequence) => put({ kind: 'compared', sequence }),
    close: () => journal.close(),
  }
}
