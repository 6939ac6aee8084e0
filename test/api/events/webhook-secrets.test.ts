/** Rotation of an endpoint's secret through the API, seen by its receiver. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvent } from '../../../db/events/log/append-event.js'
import { verifyWebhookSignature } from '../../../domain/events/webhook-signature.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'
import { createWebhookAttempts, type WebhookAttempts } from '../../stage/webhook-attempts.js'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'

const ENDPOINTS = '/api/v1/webhook-endpoints'

let api: TestApi
let attempts: WebhookAttempts
let receiver: WebhookReceiver
beforeAll(async () => {
  api = await startTestApi({
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
  })
  attempts = createWebhookAttempts(api.database.sql)
  receiver = await startWebhookReceiver()
})
afterAll(async () => {
  await receiver?.close()
  await attempts?.close()
  await api?.database.drop()
})

/** Delivers an event. @returns Which of the secrets sign it, and how many signatures it has. */
async function signers(secrets: readonly string[]): Promise<[boolean[], number]> {
  await api.database.sql.begin((tx) =>
    appendEvent(tx, { merchantId: api.merchantId, type: 'signer.online', subject: 'sig_1', data: {} }),
  )
  await attempts.attemptPending()
  const last = receiver.received.at(-1)
  if (!last) throw new Error('Nothing was received')
  const { headers, body } = last
  const timestamp = Number(headers['webhook-timestamp'])
  const signature = String(headers['webhook-signature'])
  const message = { id: String(headers['webhook-id']), timestamp, body, signature, now: timestamp }
  return [
    secrets.map((secret) => verifyWebhookSignature({ ...message, secret })),
    signature.split(' ').length,
  ]
}

test('both secrets sign until the overlap is ended, or is over', async () => {
  const post = async (path: string, body: object) =>
    (await api.call({ method: 'POST', path, body })).json.data
  const { id, secret } = await post(ENDPOINTS, { url: receiver.url })
  const rotate = async (grace_seconds: number): Promise<string> =>
    (await post(`${ENDPOINTS}/${id}/rotate-secret`, { grace_seconds })).secret
  const end = () => api.call({ method: 'DELETE', path: `${ENDPOINTS}/${id}/previous-secret` })
  expect(await signers([secret])).toEqual([[true], 1])
  const second = await rotate(3_600)
  expect(await signers([secret, second])).toEqual([[true, true], 2])
  expect(await end()).toMatchObject({ status: 200, json: { data: { previous_secret_until: null } } })
  expect(await signers([secret, second])).toEqual([[false, true], 1])
  expect((await end()).status).toBe(200)
  const third = await rotate(3_600)
  await api.database.sql`UPDATE webhook_endpoints SET previous_secret_until = now() WHERE id = ${id}`
  expect(await signers([second, third])).toEqual([[false, true], 1])
  const fourth = await rotate(0)
  expect(await signers([third, fourth])).toEqual([[false, true], 1])
  const audited = await api.database.sql`
    SELECT action FROM audit_log WHERE subject = ${id} AND action = 'webhook_endpoint.secret_ended'`
  expect(audited).toHaveLength(2)
})
