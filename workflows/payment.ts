/**
 * One payment, from its creation until it is confirmed or has ended. The row is the truth, and the deposits
 * move it; this process holds the timer of its expiry and shows what it waits for.
 */

import {
  condition,
  continueAsNew,
  defineSignal,
  patched,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { PaymentActivities } from '../activities/payments/payment.js'
import type { PaymentStatus } from '../domain/payments/payment-status.js'
import type { PaymentInput } from '../temporal/inputs.js'

/** A deposit or a person changed the row. */
export const depositChanged = defineSignal('depositChanged')

const { advancePayment } = proxyLocalActivities<PaymentActivities>({
  startToCloseTimeout: '5s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})

/**
 * Events of one run. A payer who replaces a transaction again and again decides how often the workflow is
 * woken, which takes 7 events each time.
 */
const LONGEST_RUN = 500

/** Waits for deposits and for the expiry. A payment that a reorg takes back gets a new run. */
export async function payment(input: PaymentInput): Promise<PaymentStatus | 'unknown'> {
  let woken = false
  setHandler(depositChanged, () => {
    woken = true
  })
  for (;;) {
    woken = false
    const progress = await advancePayment(input.id)
    if (progress === null) return 'unknown'
    setCurrentDetails(`**${input.title}** on ${input.network}\n\n${progress.text}`)
    if (woken) continue
    if (progress.waitMs === null) return progress.status
    // The next run reads the row first, so it needs no signal of this one.
    if (workflowInfo().historyLength > LONGEST_RUN && patched('continue-long-run')) {
      await continueAsNew<typeof payment>(input)
    }
    await condition(() => woken, progress.waitMs, { summary: progress.text })
  }
}
