/** Requests payments so that a crash at any moment neither loses one nor requests it twice. */

import { ApiError, type Client, type NewPayment, type Payment } from '@keyturn/client'
import type { Books } from './books.js'

/**
 * Whether the platform refused what was asked, so that nothing happened and nothing will. After every other
 * failure the same request may still succeed.
 */
export function isRefusal(error: unknown): error is ApiError {
  return (
    error instanceof ApiError &&
    [400, 409, 422].includes(error.status) &&
    error.code !== 'REQUEST_IN_PROGRESS'
  )
}

/** Requests a payment. The order id is also the key by which the platform knows a repeated request. */
export async function requestPayment<Own>(
  client: Client,
  books: Books<Own>,
  wanted: NewPayment & { readonly order_id: string },
): Promise<Payment> {
  books.requesting(wanted)
  return finish(client, books, wanted)
}

/** Finds or requests again what was not answered when this process ended. */
export async function finishRequests<Own>(client: Client, books: Books<Own>): Promise<void> {
  for (const wanted of books.unanswered()) {
    // The platform forgets an idempotency key after a while, and the order's payment never.
    const [known] = (await client.payments.list({ order_id: wanted.order_id ?? '' })).items
    if (known) {
      books.requested(known)
      continue
    }
    try {
      await finish(client, books, wanted)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
}

async function finish<Own>(client: Client, books: Books<Own>, wanted: NewPayment): Promise<Payment> {
  const orderId = wanted.order_id ?? ''
  try {
    const payment = await client.payments.create(wanted, { idempotencyKey: orderId })
    books.requested(payment)
    return payment
  } catch (error) {
    if (isRefusal(error)) books.refused(orderId, error.code)
    throw error
  }
}
