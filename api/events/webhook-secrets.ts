/** Routes that rotate the secret of a webhook endpoint, and end the overlap of both secrets. */

import { createRoute } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction } from '../../db/connect.js'
import { endPreviousSecret } from '../../db/events/webhooks/end-previous-secret.js'
import { rotateSecret } from '../../db/events/webhooks/rotate-secret.js'
import { SecretRotation, WebhookEndpoint, WebhookEndpointWithSecret } from '../../wire/webhook-endpoint.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { notFound } from '../http/not-found.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { params, tags } from './endpoint-routes.js'
import { endpointAudit, viewEndpoint } from './endpoint-view.js'
import { newEndpointSecret } from './new-endpoint-secret.js'

const rotate = createRoute({
  ...secured('webhooks'),
  method: 'post',
  path: '/webhook-endpoints/{id}/rotate-secret',
  summary: 'Replace the secret. Both secrets sign until the grace period is over',
  tags,
  request: {
    params,
    ...jsonBody(SecretRotation, false),
  },
  responses: { 200: answer(WebhookEndpointWithSecret) },
})
const end = createRoute({
  ...secured('webhooks'),
  method: 'delete',
  path: '/webhook-endpoints/{id}/previous-secret',
  summary: 'End the overlap of a rotation now. The previous secret signs no longer',
  tags,
  request: { params },
  responses: { 200: answer(WebhookEndpoint) },
})

/** Registers `/webhook-endpoints/{id}/rotate-secret` and `/webhook-endpoints/{id}/previous-secret`. */
export function registerWebhookSecretRoutes(app: ApiApp, { sql, environment }: ApiDependencies): void {
  app.openapi(rotate, async (c) => {
    const { id } = c.req.valid('param')
    // A request without a body is not parsed, so its default is taken here.
    const graceSeconds = SecretRotation.parse(c.req.valid('json') ?? {}).grace_seconds
    const { secret, seal } = newEndpointSecret(environment.KEYTURN_MASTER_KEY)
    const rotated = await inTransaction(sql, async (tx) => {
      const endpoint = await rotateSecret(tx, {
        merchantId: c.get('merchantId'),
        id,
        secretSealed: seal(id),
        graceSeconds,
      })
      if (!endpoint) throw notFound('webhook endpoint', id)
      await appendAudit(
        tx,
        endpointAudit(c, 'webhook_endpoint.secret_rotated', endpoint, { grace_seconds: graceSeconds }),
      )
      return keepAnswer(c, tx, 200, success({ ...viewEndpoint(endpoint), secret }))
    })
    return c.json(rotated, 200)
  })

  app.openapi(end, async (c) => {
    const { id } = c.req.valid('param')
    const endpoint = await inTransaction(sql, async (tx) => {
      const ended = await endPreviousSecret(tx, c.get('merchantId'), id)
      if (ended) await appendAudit(tx, endpointAudit(c, 'webhook_endpoint.secret_ended', ended, {}))
      return ended
    })
    if (!endpoint) throw notFound('webhook endpoint', id)
    return c.json(success(viewEndpoint(endpoint)), 200)
  })
}
