/** Refuses Ed25519 keys for which anyone can sign. */

import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { expect, test } from 'vitest'
import { refuseEd25519Key } from '../../../domain/signing/refuse-ed25519-key.js'

const hex = (text: string) => Buffer.from(text, 'hex')
const SMALL_ORDER = [
  ['1', '0100000000000000000000000000000000000000000000000000000000000000'],
  ['2', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
  ['4', '0000000000000000000000000000000000000000000000000000000000000000'],
  ['4', '0000000000000000000000000000000000000000000000000000000000000080'],
  ['8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
  ['8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'],
  ['8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
  ['8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
] as const

test.each(SMALL_ORDER)('refuses a point of order %s: %s', (_order, point) => {
  expect(refuseEd25519Key(hex(point))).toMatch(/small order/)
})

test('refuses a key for which a signature made without a private key verifies', () => {
  const point = hex(SMALL_ORDER[0][1])
  const key = createPublicKey({
    key: Buffer.concat([hex('302a300506032b6570032100'), point]),
    format: 'der',
    type: 'spki',
  })
  // R is the neutral element and S is 0.
  const forged = Buffer.concat([point, Buffer.alloc(32)])
  expect(verify(null, Buffer.from('pay everything'), key, forged)).toBe(true)
  expect(refuseEd25519Key(point)).not.toBeNull()
})

test.each([
  ['p', `ed${'ff'.repeat(30)}7f`],
  ['p + 1', `ee${'ff'.repeat(30)}7f`],
  ['p + 3, with a sign', `f0${'ff'.repeat(30)}ff`],
  ['2^255 - 1', `${'ff'.repeat(31)}7f`],
])('refuses a second encoding of a point: y = %s', (_name, point) => {
  expect(refuseEd25519Key(hex(point))).toMatch(/canonically/)
})

test('refuses other lengths and accepts generated keys', () => {
  expect(refuseEd25519Key(Buffer.alloc(31, 7))).toMatch(/31 bytes/)
  for (let index = 0; index < 50; index++) {
    const { publicKey } = generateKeyPairSync('ed25519')
    expect(refuseEd25519Key(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))).toBeNull()
  }
})
