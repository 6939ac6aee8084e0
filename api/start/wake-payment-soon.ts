/** Starts or signals a payment's workflow in the background, so that the answer does not wait for Temporal. */

import { wakeChangedPayment } from '../../db/payments/pending-payments.js'
import { wakePayment } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from './start-soon.js'

/** Starts the workflow of a new payment, or signals a running one that the row has changed. */
export function wakePaymentSoon(dependencies: ApiDependencies, id: string): void {
  startSoon(dependencies, `payment ${id}`, (client) =>
    wakeChangedPayment(dependencies.sql, id, (payment) => wakePayment(client, payment)),
  )
}
