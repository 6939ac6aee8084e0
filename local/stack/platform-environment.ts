/** Builds the environment of the platform's processes and of the signer on the local stack. */

import { heldSender } from './held-sender.js'
import type { Ports } from './ports.js'
import type { BitcoinFacts, EvmFacts } from './start-chains.js'
import type { StackState } from './state.js'

/**
 * Returns the environment. Our own environment overrides the values that suit a local stack (short polls, few
 * confirmations), so that every duration can be tried. It does not override values that must fit the parts
 * that were started.
 */
export function platformEnvironment(facts: {
  readonly ports: Ports
  readonly state: StackState
  readonly databaseUrl: string
  readonly temporalAddress: string
  readonly ethereum: EvmFacts
  readonly polygon: EvmFacts | null
  readonly bitcoin: BitcoinFacts | null
  readonly litecoin: Pick<BitcoinFacts<string>, 'rpc'> | null
  /** Path of the file with the workflows' code. */
  readonly workflowBundle: string
}): Record<string, string> {
  const { ports, state, databaseUrl, temporalAddress, ethereum, polygon, bitcoin, litecoin, workflowBundle } =
    facts
  return {
    ETHEREUM_CONFIRMATIONS: '3',
    ETHEREUM_BLOCK_TIME: '1',
    ETHEREUM_POLL_INTERVAL: '250ms',
    BITCOIN_CONFIRMATIONS: '3',
    BITCOIN_BLOCK_TIME: '2',
    BITCOIN_POLL_INTERVAL: '250ms',
    LITECOIN_CONFIRMATIONS: '3',
    LITECOIN_BLOCK_TIME: '2',
    LITECOIN_POLL_INTERVAL: '250ms',
    POLYGON_CONFIRMATIONS: '3',
    POLYGON_BLOCK_TIME: '1',
    POLYGON_POLL_INTERVAL: '250ms',
    KEYTURN_SWEEP_INTERVAL: '15s',
    // Longer than a payout needs to be deep enough here, so that the watcher's signal comes before the poll.
    KEYTURN_REBROADCAST_INTERVAL: '15s',
    KEYTURN_SIGNER_LEASE: '10s',
    KEYTURN_SIGNER_OFFLINE_AFTER: '30s',
    // A test cannot wait for the end of a month.
    KEYTURN_PERIOD_CLOSE_EARLY: 'true',
    // The local stack has one operator.
    KEYTURN_OPERATOR_APPROVALS: '1',
    ...ownEnvironment(),
    KEYTURN_DATABASE_URL: databaseUrl,
    KEYTURN_TEMPORAL_ADDRESS: temporalAddress,
    KEYTURN_TEMPORAL_NAMESPACE: 'default',
    KEYTURN_MASTER_KEY: state.master_key,
    KEYTURN_WORKFLOW_BUNDLE: workflowBundle,
    KEYTURN_HELD_SENDERS: [process.env.KEYTURN_HELD_SENDERS, heldSender(state).address]
      .filter(Boolean)
      .join(','),
    KEYTURN_API_HOST: '127.0.0.1',
    KEYTURN_API_PORT: String(ports.api),
    KEYTURN_PUBLIC_URL: `http://127.0.0.1:${ports.api}`,
    KEYTURN_METRICS_HOST: '127.0.0.1',
    KEYTURN_METRICS_PORT: String(ports.metrics),
    // A merchant's endpoint on this machine may be plain http. Elsewhere it may not.
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8,::1/128',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
    ETHEREUM_RPC_URLS: ethereum.rpc,
    ETHEREUM_CHAIN_ID: String(ethereum.chainId),
    ETHEREUM_USDT_CONTRACT: ethereum.token,
    BITCOIN_ENABLED: String(bitcoin !== null),
    BITCOIN_CHAIN: 'regtest',
    ...(bitcoin ? { BITCOIN_RPC_URLS: bitcoin.rpc } : {}),
    LITECOIN_ENABLED: String(litecoin !== null),
    LITECOIN_CHAIN: 'regtest',
    ...(litecoin ? { LITECOIN_RPC_URLS: litecoin.rpc } : {}),
    POLYGON_ENABLED: String(polygon !== null),
    ...(polygon
      ? {
          POLYGON_RPC_URLS: polygon.rpc,
          POLYGON_CHAIN_ID: String(polygon.chainId),
          POLYGON_USDC_CONTRACT: polygon.token,
        }
      : {}),
  }
}

function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && /^(KEYTURN|ETHEREUM|BITCOIN|LITECOIN|POLYGON)_/.test(entry[0]),
    ),
  )
}
