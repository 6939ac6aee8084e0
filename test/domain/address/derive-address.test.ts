/** Derives addresses from extended keys. */

import { BIP32Factory } from 'bip32'
import fc from 'fast-check'
import * as ecc from 'tiny-secp256k1'
import { mnemonicToAccount } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import { deriveAddress } from '../../../domain/address/derive-address.js'
import { parseAddress } from '../../../domain/address/parse-address.js'
import type { Network, UtxoNetwork } from '../../../domain/chain/network.js'
import { loadNetworks } from '../../../networks/load-networks.js'
import { TEST_SEED } from '../../stage/test-api.js'

const MNEMONIC =
  'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about'
const root = BIP32Factory(ecc).fromSeed(TEST_SEED)
const xpub = (path: string) => root.derivePath(path).neutered().toBase58()
let bitcoin: UtxoNetwork
let ethereum: Network
beforeAll(async () => {
  const networks = await loadNetworks(undefined, { BITCOIN_CHAIN: 'main' })
  bitcoin = networks.get('bitcoin') as UtxoNetwork
  ethereum = networks.get('ethereum') as Network
})

test.each([
  [
    0,
    0,
    'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu',
    '0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c',
  ],
  [
    0,
    1,
    'bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g',
    '03e775fd51f0dfb8cd865d9ff1cca2a158cf651fe997fdc9fee9c1d3b5e995ea77',
  ],
  [
    1,
    0,
    'bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el',
    '03025324888e429ab8e3dbaf1f7802648b9cd01e9b418485c5fa4c1b9b5700e1a6',
  ],
])("derives BIP-84's vector %d/%d", (branch, index, address, publicKey) => {
  const derived = deriveAddress({ network: bitcoin, xpub: xpub("m/84'/0'/0'"), branch, index })
  expect(derived).toMatchObject({ address, publicKey, pathSuffix: `${branch}/${index}` })
  expect(parseAddress(bitcoin, address).payee).toBe(derived.payee)
})

test('derives EVM addresses from the uncompressed key, as viem does', () => {
  const account = xpub("m/44'/60'/0'")
  expect(deriveAddress({ network: ethereum, xpub: account, branch: 0, index: 0 }).address).toBe(
    '0x9858EfFD232B4033E47d90003D41EC34EcaEda94',
  )
  fc.assert(
    fc.property(fc.nat({ max: 0x7fff_ffff }), (index) => {
      const derived = deriveAddress({ network: ethereum, xpub: account, branch: 0, index })
      expect(derived.address).toBe(mnemonicToAccount(MNEMONIC, { addressIndex: index }).address)
    }),
    { numRuns: 25 },
  )
})

test("derives Bitcoin Cash's P2PKH in CashAddr, with the hash of the legacy form", () => {
  const cash: UtxoNetwork = {
    ...bitcoin,
    name: 'bitcoin-cash',
    script: 'p2pkh',
    address: { bech32: null, cashaddr: 'bitcoincash', pubKeyHash: 0, scriptHash: 5 },
  }
  // BIP-44 account 145', first address of the same mnemonic, as wallets show it.
  const derived = deriveAddress({ network: cash, xpub: xpub("m/44'/145'/0'"), branch: 0, index: 0 })
  expect(derived.address).toBe('bitcoincash:qqyx49mu0kkn9ftfj6hje6g2wfer34yfnq5tahq3q6')
  expect(parseAddress(cash, derived.address).payee).toBe(derived.payee)
})

test('refuses a private key, a key of another network and a mistyped one', () => {
  const key = root.derivePath("m/84'/0'/0'")
  const derive = (text: string) => () => deriveAddress({ network: bitcoin, xpub: text, branch: 0, index: 0 })
  expect(derive(key.toBase58())).toThrow(/private key/)
  const test = BIP32Factory(ecc).fromSeed(TEST_SEED, {
    messagePrefix: '',
    bech32: '',
    bip32: { public: 0x043587cf, private: 0x04358394 },
    pubKeyHash: 0,
    scriptHash: 0,
    wif: 0,
  })
  expect(derive(test.derivePath("m/84'/0'/0'").neutered().toBase58())).toThrow()
  expect(derive(`${xpub("m/84'/0'/0'").slice(0, -1)}x`)).toThrow()
})
