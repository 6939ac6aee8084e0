/** The activities of the queue `webhooks`: attempts of deliveries. */

import { Context } from '@temporalio/activity'
import { cancelDelivery } from '../../db/events/webhooks/set-delivery-status.js'
import type { AttemptInput, AttemptOutcome, WebhookDeliveryDependencies } from './attempt.js'
import { attemptDelivery } from './attempt-delivery.js'
import type { FirstAttemptInput, FirstAttemptOutcome, FirstAttempts } from './first-attempts.js'

/**
 * Activity slots of a worker of the queue `webhooks` (`maxConcurrentActivityTaskExecutions`). An attempt
 * mostly waits for its endpoint, and each endpoint that hangs holds 16 slots (see `endpoint-gate.ts`).
 */
export const WEBHOOK_ACTIVITY_SLOTS = 1_000

export interface WebhookDeliveryActivities {
  /** Makes the first attempt within the workflow's task: a local activity. */
  beginWebhookDelivery(input: FirstAttemptInput): Promise<FirstAttemptOutcome>
  attemptWebhookDelivery(input: AttemptInput): Promise<AttemptOutcome>
  cancelWebhookDelivery(deliveryId: string): Promise<void>
}

/** Creates the activities of the queue `webhooks`. */
export function createWebhookDeliveryActivities(
  dependencies: WebhookDeliveryDependencies & { readonly firstAttempts: FirstAttempts },
): WebhookDeliveryActivities {
  const { sql, firstAttempts } = dependencies
  return {
    beginWebhookDelivery: (input) => firstAttempts.begin(input),
    async attemptWebhookDelivery(input) {
      const context = Context.current()
      const run = { signal: context.cancellationSignal, heartbeat: () => context.heartbeat() }
      const begun = input.first ? await firstAttempts.join(input, run) : null
      return begun ?? attemptDelivery(dependencies, input, run)
    },
    async cancelWebhookDelivery(deliveryId) {
      await cancelDelivery(sql, deliveryId)
    },
  }
}
