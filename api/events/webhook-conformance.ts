/** Route that tests the consumer behind a webhook endpoint: it must accept what is right and refuse what is wrong. */

import { createRoute, z } from '@hono/zod-openapi'
import { masterKeysOf } from '../../config/master-keys.js'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { findEndpoint } from '../../db/events/webhooks/find-endpoint.js'
import { findEndpointSecrets } from '../../db/events/webhooks/find-endpoint-secrets.js'
import { openEndpointSecrets } from '../../db/events/webhooks/open-endpoint-secrets.js'
import { KeyturnError } from '../../domain/errors.js'
import { createSender, type SenderOptions } from '../../egress/create-sender.js'
import { createWebhookPolicy } from '../../egress/webhook-policy.js'
import { type ConformanceCase, WebhookConformance } from '../../wire/webhook-conformance.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { notFound } from '../http/not-found.js'
import { securedFor } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { type PlannedCase, planCases } from './conformance-cases.js'
import { params, tags } from './endpoint-routes.js'
import { endpointAudit } from './endpoint-view.js'

/** Deadline of one case, so that all six end within 90 seconds. */
const CASE_MS = 14_000
/** Time for which the same request, sent again, does not start a second test. */
const LEASE_MS = 100_000

const conformance = createRoute({
  ...securedFor(LEASE_MS, 'webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/conformance',
  summary: 'Send right and wrong webhooks to an endpoint, and report what it answers. It takes up to 90 s',
  description:
    'The events are sent once, are not in `GET /events`, use no sequence, and count in no figures. The endpoint may be paused or disabled.',
  tags,
  request: { params, ...jsonBody(z.strictObject({}), false) },
  responses: { 200: answer(WebhookConformance) },
})

/** Registers `/webhook-endpoints/{id}/conformance`. */
export function registerWebhookConformanceRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, environment } = dependencies
  const policy = createWebhookPolicy(environment)
  /** Endpoints that this process tests now. */
  const underWay = new Set<string>()

  app.openapi(conformance, async (c) => {
    const { id } = c.req.valid('param')
    const endpoint = await findEndpoint(sql, c.get('merchantId'), id)
    if (!endpoint) throw notFound('webhook endpoint', id)
    if (underWay.has(id)) {
      throw new KeyturnError(
        'INVALID_STATE',
        'A conformance test of the endpoint is under way. Wait for it',
        {
          details: { endpoint_id: id },
        },
      )
    }
    underWay.add(id)
    const timeoutMs = Math.min(CASE_MS, environment.KEYTURN_WEBHOOK_TIMEOUT)
    try {
      const secrets = openEndpointSecrets(masterKeysOf(environment), id, await findEndpointSecrets(sql, id))
      const cases: ConformanceCase[] = []
      for (const planned of planCases(endpoint, secrets, Date.now())) {
        cases.push(await sendCase({ policy, timeoutMs }, endpoint, planned))
      }
      const report: WebhookConformance = {
        endpoint_id: id,
        passed: cases.every((each) => each.passed),
        cases,
      }
      const kept = await inTransaction(sql, async (tx) => {
        const answered = Object.fromEntries(cases.map((each) => [each.name, each.answered]))
        const data = { passed: report.passed, answered }
        await appendAudit(tx, endpointAudit(c, 'webhook_endpoint.conformance_tested', endpoint, data))
        return keepAnswer(c, tx, 200, success(report))
      })
      return c.json(kept, 200)
    } finally {
      underWay.delete(id)
    }
  })
}

/** Sends a case over a connection of its own, because a request on a reused one may have to be sent again. */
async function sendCase(
  options: SenderOptions,
  { url }: EndpointRow,
  { name, expected, headers, body }: PlannedCase,
): Promise<ConformanceCase> {
  const sender = createSender(options)
  try {
    const { statusCode: answered, error } = await sender.send({ url, headers, body })
    const passed = answered !== null && `${Math.floor(answered / 100)}xx` === expected
    return { name, expected, answered, passed, error: answered === null ? error : null }
  } finally {
    await sender.close()
  }
}
