/** Wakes the circuit of an endpoint that a request has changed. */

import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { hasCircuit } from '../../db/events/webhooks/find-circuit.js'
import { startWebhookCircuit } from '../../temporal/start.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from '../start/start-soon.js'

/** Lets the circuit of a changed endpoint probe at once, or wake the workflows that wait for nothing now. */
export function startCircuitSoon(dependencies: ApiDependencies, endpoint: EndpointRow): void {
  const { id, url, merchant_id: merchantId } = endpoint
  startSoon(dependencies, `the circuit of ${id}`, async (client) => {
    if (await hasCircuit(dependencies.sql, id)) await startWebhookCircuit(client, { id, url, merchantId })
  })
}
