/** Addresses and output scripts of the Bitcoin family. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOfScript } from '../../../chains/utxo/address-of-script.js'
import { scriptOfAddress } from '../../../chains/utxo/script-of-address.js'
import { KeyturnError } from '../../../domain/errors.js'
import { legacyNetwork, testNetwork } from './test-network.js'

const main = testNetwork(undefined, 'main')
const test3 = testNetwork(undefined, 'test')

/** BIP-173, "Test vectors", less those for versions 1 to 16, which BIP-350 declares invalid. */
const VALID_V0 = [
  ['BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4', '0014751e76e8199196d454941c45d1b3a323f1433bd6', main],
  [
    'tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7',
    '00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262',
    test3,
  ],
  [
    'tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy',
    '0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433',
    test3,
  ],
] as const

const INVALID = [
  'tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty',
  'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5',
  'BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2',
  'bc1rw5uspcuh',
  'bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90',
  'BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P',
  'tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7',
  'bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du',
  'tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv',
  'bc1gmk9yu',
  // Valid under BIP-173, invalid since BIP-350: a Taproot address with the old checksum.
  'bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx',
]

describe('scriptOfAddress and addressOfScript', () => {
  test.each(VALID_V0)('agree with BIP-173 on %s', (address, script, network) => {
    expect(scriptOfAddress(address, network).toString('hex')).toBe(script)
    expect(addressOfScript(Buffer.from(script, 'hex'), network)).toBe(address.toLowerCase())
  })

  test('agree with BIP-350 on Taproot', () => {
    const address = 'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0'
    const script = '512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
    expect(scriptOfAddress(address, main).toString('hex')).toBe(script)
    expect(addressOfScript(Buffer.from(script, 'hex'), main)).toBe(address)
  })

  test.each(INVALID)('refuse %s', (address) => {
    for (const network of [main, test3]) {
      expect(() => scriptOfAddress(address, network)).toThrow(KeyturnError)
    }
  })

  test('refuse addresses of another network', () => {
    const mine = scriptOfAddress('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', main)
    expect(addressOfScript(mine, test3)).toBe('tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx')
    expect(() => scriptOfAddress('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', test3)).toThrow(KeyturnError)
    expect(() => scriptOfAddress('1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2', test3)).toThrow(KeyturnError)
    expect(() => scriptOfAddress('bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4', legacyNetwork())).toThrow(
      KeyturnError,
    )
  })

  test('go there and back for every template', () => {
    const hash = fc
      .uint8Array({ minLength: 20, maxLength: 20 })
      .map((each) => Buffer.from(each).toString('hex'))
    fc.assert(
      fc.property(hash, (hex) => {
        for (const script of [
          `0014${hex}`,
          `76a914${hex}88ac`,
          `a914${hex}87`,
          `0020${hex}${hex.slice(0, 24)}`,
        ]) {
          const address = addressOfScript(Buffer.from(script, 'hex'), main)
          expect(scriptOfAddress(address ?? '', main).toString('hex')).toBe(script)
        }
      }),
    )
  })

  test('know that some scripts have no address', () => {
    for (const hex of ['', '6a0568656c6c6f', `21${'02'.repeat(33)}ac`, '0015'.padEnd(46, '0'), '00']) {
      expect(addressOfScript(Buffer.from(hex, 'hex'), main)).toBeNull()
    }
    expect(addressOfScript(Buffer.from(`0014${'00'.repeat(20)}`, 'hex'), legacyNetwork())).toBeNull()
  })
})
