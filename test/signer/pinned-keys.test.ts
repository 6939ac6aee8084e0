/** Tests which approvers' keys a signer pins. */

import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { refuseEd25519Point } from '../../domain/signing/refuse-ed25519-key.js'
import { platformKeyOf } from '../../signer/commands/enrolment-token.js'
import { ed25519PublicKey } from '../../signer/keys/identity.js'
import { parsePolicy } from '../../signer/policy/policy.js'
import { policyFile } from './fixture.js'

const newKey = () =>
  generateKeyPairSync('ed25519')
    .publicKey.export({ format: 'der', type: 'spki' })
    .subarray(-32)
    .toString('base64')
const withKeys = (...keys: string[]) =>
  JSON.stringify({
    ...policyFile(),
    approvers: keys.map((public_key, index) => ({
      approver_id: `apr_${index}`,
      person_id: `per_${index}`,
      name: `Person ${index}`,
      public_key,
    })),
  })

/**
 * Returns another text of the same bytes. The last base64 digit of 32 bytes has two bits without a meaning.
 */
const otherSpelling = (key: string) => {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return `${key.slice(0, 42)}${digits[digits.indexOf(key[42] ?? '') + 1]}=`
}

test('refuses to pin one key for two persons, in every spelling', () => {
  const key = newKey()
  expect(Buffer.from(otherSpelling(key), 'base64')).toEqual(Buffer.from(key, 'base64'))
  expect(() => parsePolicy(withKeys(key, newKey()))).not.toThrow()
  expect(() => parsePolicy(withKeys(key, key))).toThrow(/two approvers have the key/)
  expect(() => parsePolicy(withKeys(key, otherSpelling(key)))).toThrow(/canonical base64/)
})

test('refuses to pin a key of small order, for which anyone can sign', () => {
  for (const raw of [[1, ...Buffer.alloc(31)], [...Buffer.alloc(32)], [...Buffer.alloc(31), 0x80]]) {
    expect(() => parsePolicy(withKeys(newKey(), Buffer.from(raw).toString('base64')))).toThrow(/small order/)
  }
})

test('refuses to pin bytes that are no point of the curve', () => {
  const bad = Buffer.concat([Buffer.from([2]), Buffer.alloc(31)])
  expect(() => parsePolicy(withKeys(newKey(), bad.toString('base64')))).toThrow(/no point of the curve/)
  for (let index = 0; index < 200; index += 1) {
    expect(refuseEd25519Point(Buffer.from(newKey(), 'base64'))).toBeNull()
  }
})

test('pins the platform only by a key that only it can sign with, in one spelling', () => {
  const key = newKey()
  const token = (text: string) =>
    `ket_0123456789abcdef.${text.replaceAll('+', '-').replaceAll('/', '_').slice(0, 43)}`
  expect(platformKeyOf(token(key))).toBe(key)
  expect(() => platformKeyOf(token(otherSpelling(key)))).toThrow(/canonically/)
  for (const raw of [Buffer.alloc(32), Buffer.concat([Buffer.from([1]), Buffer.alloc(31)])]) {
    expect(() => platformKeyOf(token(raw.toString('base64')))).toThrow(/small order/)
    expect(() => ed25519PublicKey(raw.toString('base64'))).toThrow(/small order/)
  }
  expect(() => ed25519PublicKey(otherSpelling(key))).toThrow(/canonically/)
})
