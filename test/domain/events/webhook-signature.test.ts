/** Signs webhooks, compared with the Standard Webhooks library. */

import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import {
  formatWebhookSecret,
  signWebhook,
  verifyWebhookSignature,
} from '../../../domain/events/webhook-signature.js'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const OTHER = formatWebhookSecret(new Uint8Array(32).fill(7))
const bytes = (text: string) => new TextEncoder().encode(text)
const golden = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1_614_265_330,
  body: bytes('{"test": 2432232314}'),
}
const GOLDEN_SIGNATURE = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

test('signs the vector of the standard', () => {
  expect(signWebhook({ ...golden, secrets: [SECRET] })).toBe(GOLDEN_SIGNATURE)
})

test('agrees with the standard library of the standard on any body', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array({ minLength: 24, maxLength: 64 }),
      (text, key) => {
        const secret = formatWebhookSecret(key)
        const oracle = new Webhook(secret)
        const timestamp = 1_700_000_000
        expect(signWebhook({ id: 'evt_1', timestamp, body: bytes(text), secrets: [secret] })).toBe(
          oracle.sign('evt_1', new Date(timestamp * 1_000), text),
        )
      },
    ),
  )
})

test("makes signatures that the standard's own library accepts", () => {
  const timestamp = Math.floor(Date.now() / 1_000)
  const body = '{"id":"evt_1","name":"Zoë"}'
  const signature = signWebhook({ id: 'evt_1', timestamp, body: bytes(body), secrets: [OTHER, SECRET] })
  const headers = {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signature,
  }
  expect(new Webhook(SECRET).verify(body, headers)).toEqual(JSON.parse(body))
  expect(new Webhook(OTHER).verify(body, headers)).toEqual(JSON.parse(body))
})

test('makes two signatures with two live secrets, each of which verifies alone', () => {
  const signature = signWebhook({ ...golden, secrets: [SECRET, OTHER] })
  expect(signature.split(' ')).toHaveLength(2)
  for (const secret of [SECRET, OTHER]) {
    expect(verifyWebhookSignature({ ...golden, signature, secret, now: golden.timestamp })).toBe(true)
  }
})

describe('verification', () => {
  const received = { ...golden, signature: GOLDEN_SIGNATURE, secret: SECRET, now: golden.timestamp }
  test('accepts a message that is right', () => {
    expect(verifyWebhookSignature(received)).toBe(true)
    expect(verifyWebhookSignature({ ...received, now: golden.timestamp + 300 })).toBe(true)
  })
  test.each([
    ['another id', { id: 'msg_other' }],
    ['a timestamp that was not signed', { timestamp: golden.timestamp + 1 }],
    ['another body', { body: bytes('{"test":2432232314}') }],
    ['another secret', { secret: OTHER }],
    ['a signature of another version', { signature: GOLDEN_SIGNATURE.replace('v1,', 'v1a,') }],
    ['a signature that was cut', { signature: GOLDEN_SIGNATURE.slice(0, -8) }],
    ['no signature', { signature: '' }],
    ['an old timestamp', { now: golden.timestamp + 301 }],
    ['a timestamp from the future', { now: golden.timestamp - 301 }],
    ['a timestamp that is no number', { timestamp: Number.NaN }],
  ])('refuses %s', (_name, change) => {
    expect(verifyWebhookSignature({ ...received, ...change })).toBe(false)
  })
})

test.each([
  'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  'whsec_',
  'whsec_c2hvcnQ=',
  'whsec_not base64 at all, really!!!!!!!!',
])('reports a secret like %s as an error', (secret) => {
  expect(() => signWebhook({ ...golden, secrets: [secret] })).toThrow(/whsec_/)
})
