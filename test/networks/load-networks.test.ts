/** Reads the networks file, and refuses wrong ones. */

import { readFileSync } from 'node:fs'
import { BIP32Factory } from 'bip32'
import * as ecc from 'tiny-secp256k1'
import { expect, test } from 'vitest'
import { deriveAddress } from '../../domain/address/derive-address.js'
import type { UtxoNetwork } from '../../domain/chain/network.js'
import { DEFAULT_NETWORKS_FILE, loadNetworks, parseNetworks } from '../../networks/load-networks.js'
import { TEST_SEED } from '../stage/test-api.js'

const ALL = { LITECOIN_ENABLED: 'true', BITCOIN_CASH_ENABLED: 'true', POLYGON_ENABLED: 'true' }
const shipped = readFileSync(DEFAULT_NETWORKS_FILE, 'utf8')
const on = (chain: string) => ({
  ...ALL,
  BITCOIN_CHAIN: chain,
  LITECOIN_CHAIN: chain,
  BITCOIN_CASH_CHAIN: chain,
})

test.each(['main', 'test', 'regtest'])('serves every shipped network at once on %s', async (chain) => {
  const networks = [...(await loadNetworks(undefined, on(chain))).values()]
  expect(networks.map((each) => each.name)).toEqual([
    'ethereum',
    'bitcoin',
    'litecoin',
    'bitcoin-cash',
    'polygon',
  ])
  expect(new Set(networks.map((each) => each.caip2)).size).toBe(networks.length)
})

test('serves only networks with common nodes unless others are enabled', async () => {
  expect([...(await loadNetworks(undefined, {})).keys()]).toEqual(['ethereum', 'bitcoin'])
})

test('uses the registered CAIP-2 ids of the main networks', async () => {
  const networks = await loadNetworks(undefined, { ...on('main'), ETHEREUM_CHAIN_ID: '1' })
  expect([...networks.values()].map((each) => each.caip2)).toEqual([
    'eip155:1',
    'bip122:000000000019d6689c085ae165831e93',
    'bip122:12a765e31ffd4059bada1e25190f6e98',
    'bip122:000000000000000000651ef99cb9fcbe',
    'eip155:137',
  ])
})

test('derives the addresses that other wallets show for the words "abandon … about"', async () => {
  const networks = await loadNetworks(undefined, on('main'))
  const root = BIP32Factory(ecc).fromSeed(TEST_SEED)
  const first = (name: string) => {
    const network = networks.get(name) as UtxoNetwork
    const { purpose, coinType } = network.derivation
    const xpub = root.derivePath(`m/${purpose}'/${coinType}'/0'`).neutered().toBase58()
    return deriveAddress({ network, xpub, branch: 0, index: 0 }).address
  }
  expect(first('litecoin')).toBe('ltc1qjmxnz78nmc8nq77wuxh25n2es7rzm5c2rkk4wh')
  expect(first('bitcoin-cash')).toBe('bitcoincash:qqyx49mu0kkn9ftfj6hje6g2wfer34yfnq5tahq3q6')
})

test('refuses two networks with one CAIP-2 id', () => {
  const text = shipped.replace('coin_type: 966', 'coin_type: 967')
  expect(() => parseNetworks(text, { ...ALL, POLYGON_CHAIN_ID: '31337' })).toThrow(
    'ethereum and polygon are both eip155:31337',
  )
})

test('refuses two main networks with the same keys, and accepts two test networks', () => {
  const text = shipped.replace('coin_type: 2,', 'coin_type: 0,')
  expect(() => parseNetworks(text, on('main'))).toThrow('bitcoin and litecoin would have the same keys')
  expect(parseNetworks(text, on('test')).size).toBe(5)
})

test('names a variable that is not set, an unknown key and a chain without parameters', () => {
  const missing = shipped.replace('{LITECOIN_CHAIN:-regtest}', '{LITECOIN_CHAIN}')
  expect(() => parseNetworks(missing, {})).toThrow('set LITECOIN_CHAIN in the environment')
  expect(() => parseNetworks(shipped.replace('poll_interval:', 'pol_interval:'), {})).toThrow('pol_interval')
  expect(() => parseNetworks(shipped, { BITCOIN_CHAIN: 'signet' })).toThrow(
    'utxo_chains.bitcoin.signet is missing',
  )
})

test('replaces stuck attempts after the spans of the priorities, inside the caps, unless the file says otherwise', () => {
  const MINUTE = 60_000
  const networks = parseNetworks(shipped, ALL)
  const { replacement } = networks.get('ethereum') ?? {}
  expect(replacement).toEqual({
    supported: true,
    automatic: true,
    afterMs: { low: 60 * MINUTE, normal: 30 * MINUTE, high: 15 * MINUTE, urgent: 10 * MINUTE },
    maxCancelFee: 10n ** 17n,
  })
  expect(networks.get('bitcoin-cash')?.replacement).toMatchObject({ supported: false, automatic: false })
  const other = shipped.replace(
    `confirmations: \${ETHEREUM_CONFIRMATIONS:-12}`,
    'confirmations: 12\n    replacement: { automatic: false, after: { urgent: 90s }, max_cancel_fee: "0.3" }',
  )
  expect(parseNetworks(other, ALL).get('ethereum')?.replacement).toEqual({
    supported: true,
    automatic: false,
    afterMs: { low: 60 * MINUTE, normal: 30 * MINUTE, high: 15 * MINUTE, urgent: 90_000 },
    maxCancelFee: 3n * 10n ** 17n,
  })
})
