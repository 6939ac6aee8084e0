/** Calls for payments: what a payer is asked for. */

import type { NewPayment, Payment, PaymentFilter, Reissue } from '../wire/payment.js'
import type { Calls, ClientPage, Sent } from './calls.js'

/**
 * Returns the calls.
 *
 * @param trusted - Checks the address of a payment. It throws for one that the customer's signer does not hold.
 */
export function paymentCalls({ get, at, post, page }: Calls, trusted: (payment: Payment) => Payment) {
  const payment = (id: string, rest = '') => at('/payments', id, rest)
  return {
    /** Requests a payment. Redirect the payer to its `checkout_url`, or show its address and `payment_uri`. */
    create: async (wanted: NewPayment, sent?: Sent): Promise<Payment> =>
      trusted(await post<Payment>('/payments', wanted, sent)),
    get: async (id: string): Promise<Payment> => trusted(await get<Payment>(payment(id))),
    list: async (filter?: PaymentFilter): Promise<ClientPage<Payment>> => {
      const found = await page<Payment>('/payments', filter)
      found.items.forEach(trusted)
      return found
    },
    /** Cancels a payment for which nothing has arrived. */
    cancel: async (id: string, sent?: Sent): Promise<Payment> =>
      trusted(await post<Payment>(payment(id, '/cancel'), undefined, sent)),
    /** Issues an expired or cancelled payment again, with a new address. */
    reissue: async (id: string, how: Reissue = {}, sent?: Sent): Promise<Payment> =>
      trusted(await post<Payment>(payment(id, '/reissue'), how, sent)),
  }
}
