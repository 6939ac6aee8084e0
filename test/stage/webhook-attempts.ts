/** Makes attempts of deliveries at once, without Temporal: what a worker would send, and what it would store. */

import type { WebhookDeliveryDependencies } from '../../activities/events/attempt.js'
import { attemptDelivery } from '../../activities/events/attempt-delivery.js'
import type { Sql } from '../../db/connect.js'
import { createSender } from '../../egress/create-sender.js'
import { createEndpointGate } from '../../egress/endpoint-gate.js'
import { createTargetPolicy } from '../../egress/target-policy.js'
import { sealOnce } from '../support/seal-once.js'
import { MASTER_KEY } from './test-api.js'

const RETRY_INTERVAL_MS = 300_000

export interface WebhookAttempts {
  readonly dependencies: WebhookDeliveryDependencies
  /** Makes an attempt of a delivery. @returns The kind of its outcome. */
  attempt(deliveryId: string, elapsedMs?: number): Promise<string>
  /** Seals events, and makes an attempt of each delivery that waits for its workflow, as the sealer would. */
  attemptPending(): Promise<void>
  close(): Promise<void>
}

/** Creates what makes the attempts. Endpoints on 127.0.0.1 are allowed. */
export function createWebhookAttempts(sql: Sql, timeoutMs = 1_000): WebhookAttempts {
  const sender = createSender({
    policy: createTargetPolicy({ allowCidrs: ['127.0.0.1/32'], allowHttp: true }),
    timeoutMs,
  })
  const dependencies: WebhookDeliveryDependencies = {
    sql,
    masterKeys: [MASTER_KEY],
    sender,
    gate: createEndpointGate({ maxDelayMs: RETRY_INTERVAL_MS }),
    timeoutMs,
    retryIntervalMs: RETRY_INTERVAL_MS,
    retryWindowMs: 86_400_000,
    startCircuit: async () => {},
  }
  const attempt = async (deliveryId: string, elapsedMs = 0) => {
    const run = { signal: new AbortController().signal, heartbeat() {} }
    return (await attemptDelivery(dependencies, { deliveryId, elapsedMs, lost: [] }, run)).kind
  }
  return {
    dependencies,
    attempt,
    async attemptPending() {
      await sealOnce(sql, null)
      const pending = await sql<{ id: string }[]>`
        UPDATE webhook_deliveries SET workflow_started_at = now()
        WHERE status = 'pending' AND workflow_started_at IS NULL RETURNING id`
      for (const { id } of [...pending].sort((a, b) => (a.id < b.id ? -1 : 1))) await attempt(id)
    },
    close: () => sender.close(),
  }
}
