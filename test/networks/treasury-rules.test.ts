/** Reads the networks file's rules of movements. */

import { expect, test } from 'vitest'
import { NO_TREASURY } from '../../domain/payouts/treasury.js'
import { parseNetworks } from '../../networks/load-networks.js'

const file = (treasury: string) => `
networks:
  ethereum:
    family: evm
    chain_id: 31337
    coin: { name: eth, decimals: 18 }
    derivation: { purpose: 44, coin_type: 60 }
    rpc_urls: "http://127.0.0.1:1"
    confirmations: 2
    block_time_seconds: 1
    fees: { max_fee_gwei: 500, max_priority_fee_gwei: 50, max_total: "0.05" }
    tokens: { usdt: { contract: "0xdAC17F958D2ee523a2206206994597C13D831ec7", decimals: 6 } }
    ${treasury}
`
const rulesOf = (treasury: string) => parseNetworks(file(treasury)).get('ethereum')?.treasury

test('makes no movement without the part', () => {
  expect(rulesOf('')).toEqual(NO_TREASURY)
})

test('reads whole coins into base units, by each coin’s decimals', () => {
  const rules = rulesOf(`
    treasury:
      automatic: true
      consolidation: { least: { eth: "0.01", usdt: "20" }, worth: { usdt: "0.0003" }, max_fee_percent: 2.5, retry_after: 10m }
      gas_daily: "1.5"
      rebalance: { usdt: { low: "10", high: "100" } }
      low_balance: { gas: { eth: "0.5" } }`)
  expect(rules).toEqual({
    automatic: true,
    consolidation: {
      least: { eth: 10n ** 16n, usdt: 20_000_000n },
      worth: { usdt: 3n * 10n ** 14n },
      maxFeePercent: 2.5,
      retryMs: 600_000,
      expiryMs: 3_600_000,
    },
    gasDaily: 15n * 10n ** 17n,
    outputs: null,
    rebalance: { usdt: { low: 10_000_000n, high: 100_000_000n } },
    lowBalance: { master: {}, hot: {}, gas: { eth: 5n * 10n ** 17n } },
  })
})

test.each([
  [
    'a coin that the network does not have',
    'treasury: { consolidation: { least: { usdc: "1" } } }',
    'unknown coin usdc',
  ],
  [
    'watermarks the wrong way round',
    'treasury: { rebalance: { eth: { low: "2", high: "1" } } }',
    'low must be below high',
  ],
  [
    'outputs where there are none',
    'treasury: { outputs: { max_fee_rate: 1, smaller_than: "1", at_least: 2 } }',
    'not on a network of family evm',
  ],
  ['a key that is none', 'treasury: { sweep: true }', 'sweep'],
  ['a share of everything', 'treasury: { consolidation: { max_fee_percent: 100 } }', 'max_fee_percent'],
])('refuses %s', (_name, treasury, message) => {
  expect(() => rulesOf(treasury)).toThrow(message)
})
