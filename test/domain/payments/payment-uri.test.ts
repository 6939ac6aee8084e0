/** The URI of a payment on each network. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Network } from '../../../domain/chain/network.js'
import { paymentUri } from '../../../domain/payments/payment-uri.js'
import { DEFAULT_NETWORKS_FILE, parseNetworks } from '../../../networks/load-networks.js'

const networks = parseNetworks(readFileSync(DEFAULT_NETWORKS_FILE, 'utf8'), {
  LITECOIN_ENABLED: 'true',
  BITCOIN_CASH_ENABLED: 'true',
})
const MOST = 2n ** 256n - 1n

function uri(name: string, coin: string, address: string, amount: bigint | null): string {
  const network = networks.get(name) as Network
  const found = network.coins.find((each) => each.name === coin)
  if (!found) throw new Error(`${name} has no ${coin}`)
  return paymentUri(network, found, address, amount)
}

test.each([
  ['bitcoin', 'btc', 'bc1qx', 1n, 'bitcoin:bc1qx?amount=0.00000001'],
  ['bitcoin', 'btc', 'bc1qx', 2_100_000_000_000_000n, 'bitcoin:bc1qx?amount=21000000'],
  ['bitcoin', 'btc', 'bc1qx', null, 'bitcoin:bc1qx'],
  ['litecoin', 'ltc', 'ltc1qx', 150_000_000n, 'litecoin:ltc1qx?amount=1.5'],
  ['bitcoin-cash', 'bch', 'bitcoincash:qx', 100_000_000n, 'bitcoincash:qx?amount=1'],
  ['bitcoin-cash', 'bch', 'bitcoincash:qx', null, 'bitcoincash:qx'],
])('on %s is BIP-21: %s to %s, %s', (name, coin, address, amount, expected) => {
  expect(uri(name, coin, address, amount)).toBe(expected)
})

test('on an EVM chain is EIP-681 with the chain and, for a token, its contract', () => {
  const network = networks.get('ethereum')
  if (network?.family !== 'evm') throw new Error('Ethereum is no EVM chain')
  const usdt = network.coins.find(({ name }) => name === 'usdt')?.contract
  expect(uri('ethereum', 'eth', '0xAb', MOST)).toBe(`ethereum:0xAb@${network.chainId}?value=${MOST}`)
  expect(uri('ethereum', 'eth', '0xAb', null)).toBe(`ethereum:0xAb@${network.chainId}`)
  expect(uri('ethereum', 'usdt', '0xAb', 5n)).toBe(
    `ethereum:${usdt}@${network.chainId}/transfer?address=0xAb&uint256=5`,
  )
  expect(uri('ethereum', 'usdt', '0xAb', null)).toBe(
    `ethereum:${usdt}@${network.chainId}/transfer?address=0xAb`,
  )
})
