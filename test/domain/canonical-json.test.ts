/** Writes canonical JSON (RFC 8785). */

import canonicalizeModule from 'canonicalize'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../../domain/canonical-json.js'

// The package is CommonJS with a default export, which NodeNext types as a namespace.
const oracle = canonicalizeModule as unknown as (input: unknown) => string

test('writes the example of RFC 8785, section 3.2.3', () => {
  const sent = {
    '€': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    1: 'One',
    '😀': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    ö: 'Latin Small Letter O With Diaeresis',
  }
  expect(Object.values(JSON.parse(canonicalJson(sent)))).toHaveLength(7)
  expect([...canonicalJson(sent).matchAll(/:"([^"]*)"/g)].map((match) => match[1])).toEqual([
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ])
  expect(canonicalJson([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0])).toBe(
    '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]',
  )
})

test('writes every JSON value as an independent implementation does', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => canonicalJson(value) === oracle(value)))
})

test('leaves out what JSON leaves out, and writes dates as texts', () => {
  const value = { b: undefined, a: [undefined, new Date(0)], c: { d: null } }
  expect(canonicalJson(value)).toBe('{"a":[null,"1970-01-01T00:00:00.000Z"],"c":{"d":null}}')
})

test('writes a million levels of nesting', () => {
  const depth = 1_000_000
  const text = `${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`
  expect(canonicalJson(JSON.parse(text))).toBe(text)
})

test('refuses what JSON cannot hold', () => {
  const circle: Record<string, unknown> = {}
  circle.self = [circle]
  for (const value of [circle, Number.NaN, [Number.POSITIVE_INFINITY], 1n, undefined, { f: () => 1 }]) {
    expect(() => canonicalJson(value)).toThrow(/canonical JSON form/)
  }
  const twice = { a: 1 }
  expect(canonicalJson([twice, twice])).toBe('[{"a":1},{"a":1}]')
})
