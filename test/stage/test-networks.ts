/** The networks of the stage: Ethereum and Bitcoin with short waits, for the nodes of a test. */

import type { Networks } from '../../domain/chain/network.js'
import { parseNetworks } from '../../networks/load-networks.js'

/** Parses Ethereum and Bitcoin with the URLs of a test's nodes. A variable enables each network. */
export function testNetworks(variables: Record<string, string>): Networks {
  return parseNetworks(
    `
networks:
  ethereum:
    family: evm
    enabled: \${ETHEREUM_ENABLED:-false}
    chain_id: 31337
    coin: { name: eth, decimals: 18 }
    derivation: { purpose: 44, coin_type: 60 }
    rpc_urls: "\${ETHEREUM_RPC:-http://127.0.0.1:1}"
    confirmations: 2
    block_time_seconds: 1
    poll_interval: 100ms
    fees: { max_fee_gwei: 500, max_priority_fee_gwei: 50, max_total: "0.05" }
    replacement: { automatic: \${REPLACE_AUTOMATICALLY:-false}, after: { low: 2s, normal: 2s, high: 2s, urgent: 2s } }
    tokens:
      usdt: { contract: "\${ETHEREUM_USDT:-0xdAC17F958D2ee523a2206206994597C13D831ec7}", decimals: 6 }
  bitcoin:
    family: utxo
    enabled: \${BITCOIN_ENABLED:-false}
    chain: regtest
    coin: { name: btc, decimals: 8 }
    rpc_urls: "\${BITCOIN_RPC:-http://127.0.0.1:1}"
    confirmations: 2
    block_time_seconds: 1
    poll_interval: 100ms
    fees: { fallback_rate: 5, min_rate: 1, max_rate: 500, max_total: "0.01" }
    replacement: { automatic: \${REPLACE_AUTOMATICALLY:-false}, after: { low: 2s, normal: 2s, high: 2s, urgent: 2s } }
utxo_chains:
  bitcoin:
    regtest: { genesis: 0f9188f13cb7b2c71f2a335e3a4fc328, bech32: bcrt, pub_key_hash: 0x6f, script_hash: 0xc4,
               xpub: 0x043587cf, xprv: 0x04358394, purpose: 84, coin_type: 1, script: p2wpkh }
`,
    variables,
  )
}
