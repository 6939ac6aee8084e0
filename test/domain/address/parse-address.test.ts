/** Parses addresses into their canonical form. */

import { encodeCashAddress as encodeByLibrary } from '@bitauth/libauth'
import { address as bitcoinAddress } from 'bitcoinjs-lib'
import fc from 'fast-check'
import { getAddress } from 'viem/utils'
import { beforeAll, expect, test } from 'vitest'
import { scriptOfAddress } from '../../../chains/utxo/script-of-address.js'
import { decodeCashAddress, encodeCashAddress } from '../../../domain/address/cashaddr.js'
import { parseAddress } from '../../../domain/address/parse-address.js'
import type { EvmNetwork, UtxoNetwork } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { loadNetworks } from '../../../networks/load-networks.js'

let main: UtxoNetwork
let testnet: UtxoNetwork
let ethereum: EvmNetwork
let cash: UtxoNetwork
beforeAll(async () => {
  const networks = await loadNetworks(undefined, { BITCOIN_CHAIN: 'main' })
  main = networks.get('bitcoin') as UtxoNetwork
  ethereum = networks.get('ethereum') as EvmNetwork
  testnet = (await loadNetworks(undefined, { BITCOIN_CHAIN: 'test' })).get('bitcoin') as UtxoNetwork
  cash = {
    ...main,
    name: 'bitcoin-cash',
    address: { bech32: null, cashaddr: 'bitcoincash', pubKeyHash: 0, scriptHash: 5 },
  }
})

const refused = (network: UtxoNetwork | EvmNetwork, text: string): string => {
  try {
    parseAddress(network, text)
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error
    expect(error.code).toBe('INVALID_ADDRESS')
    expect(error.details).toEqual({ address: text.slice(0, 100), network: network.name })
    return error.message
  }
  throw new Error(`${text} was taken`)
}

test.each([
  // BIP-173 and BIP-350.
  ['BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4', '0014751e76e8199196d454941c45d1b3a323f1433bd6', 'p2wpkh'],
  [
    'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0',
    '512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
    'p2tr',
  ],
  ['1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu', '76a91476a04053bda0a88bda5177b86a15c3b29f55987388ac', 'p2pkh'],
  ['3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC', 'a91476a04053bda0a88bda5177b86a15c3b29f55987387', 'p2sh'],
])('accepts %s', (text, script, type) => {
  expect(parseAddress(main, text)).toMatchObject({ script, type })
})

test.each([
  // x = 5 has no y on the curve, and x = the field's size is no coordinate at all.
  [5n, 'bc1pqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzs2jkusy'],
  [2n ** 256n - 2n ** 32n - 977n, ''],
])(
  'refuses a Taproot address whose key is not on the curve, because no key could spend what it gets',
  (x, known) => {
    const data = Buffer.from(x.toString(16).padStart(64, '0'), 'hex')
    const text = bitcoinAddress.toBech32(data, 1, 'bc')
    if (known !== '') expect(text).toBe(known)
    expect(refused(main, text)).toContain('BIP-340')
    expect(refused(main, text.toUpperCase())).toContain('BIP-340')
  },
)

test('accepts P2WSH and writes it in lower case', () => {
  const text = 'tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7'
  expect(parseAddress(testnet, text.toUpperCase())).toMatchObject({
    address: text,
    script: '00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262',
    type: 'p2wsh',
    payee: null,
  })
})

test.each([
  // Invalid addresses of BIP-350 and BIP-173.
  'tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty',
  'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5',
  'BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2',
  'bc1rw5uspcuh',
  'bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90',
  'BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P',
  'bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du',
  'bc1gmk9yu',
  'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd',
  'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh',
  'bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4',
  'BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R',
  'bc1pw5dgrnzv',
  'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav',
  // BIP-350: a valid address of a witness version without rules: anyone could spend it.
  'bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y',
  'BC1SW50QGDZ25J',
  'bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs',
  '1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggv',
  '',
  'bc1',
  `bc1q${'q'.repeat(10_000)}`,
])('refuses %s', (text) => {
  refused(main, text)
})

test('refuses an address of another network', () => {
  refused(main, 'tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx')
  refused(testnet, 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4')
  expect(refused(main, 'mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn')).toContain('another network')
  refused(main, '0x9858EfFD232B4033E47d90003D41EC34EcaEda94')
  refused(ethereum, '1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu')
})

test.each([
  '0x52908400098527886E0F7030069857D2E4169EE7',
  '0x8617E340B3D01FA5F11F306F4090FD50E238070D',
  '0xde709f2102306220921060314715629080e2fb77',
  '0x27b1fdb04752bbc536007a920d24acb045561c26',
  '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
  '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
  '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
])("accepts EIP-55's vector %s and its lower case", (text) => {
  expect(parseAddress(ethereum, text).address).toBe(text)
  expect(parseAddress(ethereum, text.toLowerCase()).address).toBe(text)
  expect(parseAddress(ethereum, `0x${text.slice(2).toUpperCase()}`).address).toBe(text)
})

test("returns any EVM address in viem's canonical form, and refuses one letter of another case", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (bytes) => {
      const lower = `0x${Buffer.from(bytes).toString('hex')}` as const
      if (/^0x0+$/.test(lower)) return
      const { address, payee } = parseAddress(ethereum, lower)
      expect(address).toBe(getAddress(lower))
      expect(`0x${payee}`).toBe(lower)
      const at = [...address].findIndex((letter, i) => i > 1 && /[a-fA-F]/.test(letter))
      const letter = address.charAt(at)
      const flipped = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()
      const wrong = address.slice(0, at) + flipped + address.slice(at + 1)
      const digits = wrong.slice(2)
      if (at < 0 || digits === digits.toLowerCase() || digits === digits.toUpperCase()) return
      expect(refused(ethereum, wrong)).toContain('checksum')
    }),
  )
})

test('refuses the zero address and the contract of a token, and says why', () => {
  expect(refused(ethereum, `0x${'0'.repeat(40)}`)).toContain('zero address')
  const contract = ethereum.coins.find((coin) => coin.contract)?.contract ?? ''
  expect(refused(ethereum, contract)).toContain('contract of usdt')
  expect(refused(ethereum, contract.toLowerCase())).toContain('contract of usdt')
  refused(ethereum, '0x1234')
  refused(ethereum, `0x${'g'.repeat(40)}`)
  refused(ethereum, '5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed')
})

test("accepts CashAddr's vectors with and without prefix, and refuses the legacy form, which Bitcoin has too", () => {
  const pairs = [
    ['1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu', 'bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a'],
    ['1KXrWXciRDZUpQwQmuM1DbwsKDLYAYsVLR', 'bitcoincash:qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy'],
    ['16w1D5WRVKJuZUsSRzdLp9w3YGcgoxDXb', 'bitcoincash:qqq3728yw0y47sqn6l2na30mcw6zm78dzqre909m2r'],
    ['3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC', 'bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq'],
    ['3LDsS579y7sruadqu11beEJoTjdFiFCdX4', 'bitcoincash:pr95sy3j9xwd2ap32xkykttr4cvcu7as4yc93ky28e'],
    ['31nwvkZwyPdgzjBJZXfDmSWsC4ZLKpYyUw', 'bitcoincash:pqq3728yw0y47sqn6l2na30mcw6zm78dzq5ucqzc37'],
  ] as const
  for (const [legacy, address] of pairs) {
    expect(parseAddress(cash, address).address).toBe(address)
    expect(parseAddress(cash, address.slice(12)).address).toBe(address)
    expect(parseAddress(cash, address.toUpperCase()).address).toBe(address)
    const message = refused(cash, legacy)
    expect(message).toContain('Bitcoin')
    expect(message).toContain(address)
  }
  refused(cash, 'bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6q')
  refused(cash, 'bchtest:qr6m7j9njldwwzlg9v7v53unlr4jkmx6eyvwc0uz5t')
})

test('accepts a legacy form that Bitcoin does not have', () => {
  // The version bytes 28 and 40 that wallets used before CashAddr: addresses that begin with C and H.
  const network = { ...cash, address: { ...cash.address, pubKeyHash: 28, scriptHash: 40 } }
  const hash = Buffer.from('76a04053bda0a88bda5177b86a15c3b29f559873', 'hex')
  expect(parseAddress(network, bitcoinAddress.toBase58Check(hash, 28)).address).toBe(
    'bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a',
  )
  expect(parseAddress(network, bitcoinAddress.toBase58Check(hash, 40)).address).toBe(
    'bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq',
  )
  expect(refused(network, bitcoinAddress.toBase58Check(hash, 0))).toContain('another network')
})

test.each([
  ['p2pkhWithTokens', 'z', 'p2pkh'],
  ['p2shWithTokens', 'r', 'p2sh'],
] as const)(
  'pays an address of Bitcoin Cash that takes tokens as its plain form (%s)',
  (type, letter, plain) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (payload) => {
        const { address } = encodeByLibrary({ prefix: 'bitcoincash', type, payload, throwErrors: true })
        expect(address.startsWith(`bitcoincash:${letter}`)).toBe(true)
        const canonical = encodeCashAddress('bitcoincash', { kind: plain, hash: payload })
        for (const text of [address, address.slice(12), address.toUpperCase()]) {
          expect(parseAddress(cash, text)).toMatchObject({ address: canonical, type: plain })
        }
        expect(scriptOfAddress(address, cash)).toEqual(scriptOfAddress(canonical, cash))
      }),
      { numRuns: 20 },
    )
  },
)

test.each(['p2sh', 'p2shWithTokens'] as const)(
  'refuses a hash of 32 bytes with the true reason (%s)',
  (type) => {
    const payload = Uint8Array.from({ length: 32 }, (_, index) => index)
    const { address } = encodeByLibrary({ prefix: 'bitcoincash', type, payload, throwErrors: true })
    expect(refused(cash, address)).toContain('32 bytes')
    expect(refused(cash, address)).not.toContain('checksum')
  },
)

test('notices any single wrong letter of CashAddr', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(), fc.nat(), (hash, at, by) => {
      const address = encodeCashAddress('bitcoincash', { kind: 'p2pkh', hash })
      expect(decodeCashAddress('bitcoincash', address)).toEqual({ kind: 'p2pkh', hash })
      const letters = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
      const position = 12 + (at % 42)
      const letter = letters[(letters.indexOf(address.charAt(position)) + 1 + (by % 31)) % 32]
      const wrong = address.slice(0, position) + letter + address.slice(position + 1)
      expect(decodeCashAddress('bitcoincash', wrong)).toBeNull()
    }),
  )
})
