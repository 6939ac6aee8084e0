/** Starts or signals a payment's workflow in the background, so that the answer does not wait for Temporal. */

import { markPaymentsWoken, readPendingPayment } from '../../db/payments/pending-payments.js'
import { paymentId } from '../../temporal/ids.js'
import { startPayment } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from './start-soon.js'

/** Starts the workflow of a new payment, or signals a running one that the row has changed. */
export function wakePaymentSoon(dependencies: ApiDependencies, id: string): void {
  startSoon(dependencies, `payment ${id}`, async (client) => {
    const pending = await readPendingPayment(dependencies.sql, id)
    if (!pending) return
    if (pending.open) await startPayment(client, pending.input)
    else await client.getHandle(paymentId(id)).signal('depositChanged')
    await markPaymentsWoken(dependencies.sql, [pending])
  })
}
