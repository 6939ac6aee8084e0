/** The verifier of webhooks, against an independent implementation of Standard Webhooks. */

import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { verifyWebhook, WebhookVerificationError } from '../../client/verify-webhook.js'

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const OLD_SECRET = `whsec_${Buffer.alloc(32, 2).toString('base64')}`
const BODY =
  '{"id":"evt_1","event":"webhook.test","timestamp":"2024-01-15T12:00:00.000Z","sequence":1,"data":{"n":1.0}}'

function headers(options: { secret?: string; at?: Date; body?: string } = {}): Record<string, string> {
  const at = options.at ?? new Date()
  const signature = new Webhook(options.secret ?? SECRET).sign('evt_1', at, options.body ?? BODY)
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': signature,
  }
}

test('accepts webhooks that the Standard Webhooks library signed, with headers of any kind', () => {
  const raw = Buffer.from(BODY)
  expect(verifyWebhook(headers(), raw, SECRET)).toMatchObject({ id: 'evt_1', sequence: 1 })
  expect(verifyWebhook(new Headers(headers()), raw, SECRET).id).toBe('evt_1')
  const shouted = Object.fromEntries(
    Object.entries(headers()).map(([name, value]) => [name.toUpperCase(), value]),
  )
  expect(verifyWebhook(shouted, raw, SECRET).id).toBe('evt_1')
})

test('accepts the old and the new secret during a rotation', () => {
  const raw = Buffer.from(BODY)
  expect(verifyWebhook(headers({ secret: OLD_SECRET }), raw, [SECRET, OLD_SECRET]).id).toBe('evt_1')
  const both = {
    ...headers(),
    'webhook-signature': `${headers({ secret: OLD_SECRET })['webhook-signature']} ${headers()['webhook-signature']}`,
  }
  expect(verifyWebhook(both, raw, SECRET).id).toBe('evt_1')
  expect(verifyWebhook(both, raw, OLD_SECRET).id).toBe('evt_1')
})

test.each([
  ['another body', headers(), BODY.replace('1.0', '1.1')],
  ['the same JSON written another way', headers(), JSON.stringify(JSON.parse(BODY))],
  ['another secret', headers({ secret: OLD_SECRET }), BODY],
  ['another id', { ...headers(), 'webhook-id': 'evt_2' }, BODY],
  ['an old one', headers({ at: new Date(Date.now() - 301_000) }), BODY],
  ['one from the future', headers({ at: new Date(Date.now() + 310_000) }), BODY],
  ['no signature', { ...headers(), 'webhook-signature': '' }, BODY],
  [
    'a signature of another version',
    { ...headers(), 'webhook-signature': headers()['webhook-signature']!.replace('v1,', 'v2,') },
    BODY,
  ],
  ['no headers', {}, BODY],
])('refuses %s', (_name, given, body) => {
  expect(() => verifyWebhook(given, Buffer.from(body), SECRET)).toThrow(WebhookVerificationError)
})

test('accepts a tolerance of the caller', () => {
  const old = headers({ at: new Date(Date.now() - 3_600_000) })
  expect(verifyWebhook(old, Buffer.from(BODY), SECRET, 4_000).id).toBe('evt_1')
})
