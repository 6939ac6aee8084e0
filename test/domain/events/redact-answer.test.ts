/** Redaction of the answers of webhook endpoints. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { redactAnswer } from '../../../domain/events/redact-answer.js'

test.each([
  [
    'the secret of the endpoint',
    'bad secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  ],
  ['a secret without its prefix', 'expected MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'MfKQ9r8GKYqr'],
  ['our own signature', 'got v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=', 'K5oZfzN95Z9'],
  ['a field of JSON', '{"error":"no","api_key":"abc"}', 'abc'],
  ['a field of JSON with an escaped quote', '{"password":"a\\"bcd","ok":1}', 'bcd'],
  ['a field of JSON that is cut off', '{"client_secret":"abc', 'abc'],
  ['a number', '{"access_token": 12345}', '12345'],
  ['a field of a form', 'status=1&token=hunter2&x=2', 'hunter2'],
  ['a header', 'Authorization: Bearer abcdef\r\nX-Other: 1', 'abcdef'],
  ['a cookie', 'Set-Cookie: sid=hello; Path=/', 'hello'],
  ['a JSON web token', 'jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'eyJzdWIi'],
  ['a private key', 'x -----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----', 'MIIB'],
  ['hexadecimal digits', `key ${'ab12'.repeat(16)}`, 'ab12ab12'],
  [
    'a key of an extended wallet',
    `xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi`,
    '9s21',
  ],
  ['the password of a URL', 'postgres://app:letmein@db/x', 'letmein'],
  ['an e-mail address', 'ask ops@shop.example', 'ops@shop'],
])('leaves out %s', (_what, answer, secret) => {
  expect(redactAnswer(answer)).not.toContain(secret)
  expect(redactAnswer(answer)).toContain('[redacted]')
})

test.each([
  'No route matches POST "/webhooks/keyturn"',
  '{"error":"unknown event","id":"evt_0193f5a2b1c47d3e8f90a1b2c3d4e5f6","request":"1b4e28ba-2fa1-11d2-883f-0016d3cca427"}',
  'TypeError: Cannot read properties of undefined at /srv/shop/node_modules/express/lib/router/index.js:284:15',
  '<h1>502 Bad Gateway</h1><hr><center>nginx/1.25.3</center>',
])('keeps %s', (answer) => {
  expect(redactAnswer(answer)).toBe(answer)
})

test('keeps at most a kilobyte, and no half of a character or of a secret', () => {
  expect(redactAnswer('é'.repeat(2_000))).toBe('é'.repeat(512))
  const cut = redactAnswer(`${'. '.repeat(508)}whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`)
  expect(cut).not.toContain('whsec')
  expect(redactAnswer(null)).toBeNull()
})

test('changes nothing the second time, and ends for answers that are made to take long', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const once = redactAnswer(text)
      expect(redactAnswer(once)).toBe(once)
    }),
  )
  for (const part of [
    'a',
    'token',
    '"token',
    '"token":"\\',
    '-----BEGIN A-----',
    'a.a@',
    '://a:',
    'eyJa.',
    'secret_secret-',
  ]) {
    redactAnswer(part.repeat(Math.ceil(4_096 / part.length)))
  }
})
