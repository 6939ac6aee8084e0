/**
 * Rails on which users deposit and withdraw while nodes misbehave: networks with an honest node beside, and
 * networks without.
 */

import { randomBytes } from 'node:crypto'
import { faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { LITECOIN_REGTEST } from '../../local/parts/litecoin.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { freshRecipient } from './coins.js'
import { type BitcoinScan, bitcoinHashAt } from './scan-bitcoin.js'
import { ethereumHashAt, etherOf, tokenOf } from './scan-ethereum.js'

export const NETWORKS = {
  ethereum: { family: 'evm', honestNode: true },
  polygon: { family: 'evm', honestNode: false },
  bitcoin: { family: 'utxo', honestNode: true },
  litecoin: { family: 'utxo', honestNode: false },
} as const
export type NetworkName = keyof typeof NETWORKS

export interface Rail {
  readonly network: NetworkName
  readonly coin: string
  readonly decimals: number
  /** Name of the token in `stack.json`. `null` for the network's own coin. */
  readonly token: 'usdt' | 'usdc' | null
  /** Least and greatest amount of a deposit, in whole coins. */
  readonly deposit: readonly [string, string]
  /** Least and greatest amount of a withdrawal, in whole coins. */
  readonly withdrawal: readonly [string, string]
  /** Highest fee of a withdrawal on this rail (`networks.yml`), in whole coins. */
  readonly mostFee: string
}

export const RAILS: readonly Rail[] = [
  {
    network: 'ethereum',
    coin: 'eth',
    decimals: 18,
    token: null,
    deposit: ['0.5', '2'],
    withdrawal: ['0.05', '0.2'],
    mostFee: '0.05',
  },
  {
    network: 'ethereum',
    coin: 'usdt',
    decimals: 6,
    token: 'usdt',
    deposit: ['50', '500'],
    withdrawal: ['5', '40'],
    mostFee: '0',
  },
  {
    network: 'polygon',
    coin: 'pol',
    decimals: 18,
    token: null,
    deposit: ['5', '20'],
    withdrawal: ['0.5', '2'],
    mostFee: '2',
  },
  {
    network: 'polygon',
    coin: 'usdc',
    decimals: 6,
    token: 'usdc',
    deposit: ['50', '500'],
    withdrawal: ['5', '40'],
    mostFee: '0',
  },
  {
    network: 'bitcoin',
    coin: 'btc',
    decimals: 8,
    token: null,
    deposit: ['0.05', '0.5'],
    withdrawal: ['0.005', '0.02'],
    mostFee: '0.01',
  },
  {
    network: 'litecoin',
    coin: 'ltc',
    decimals: 8,
    token: null,
    deposit: ['1', '5'],
    withdrawal: ['0.1', '0.5'],
    mostFee: '0.1',
  },
]

/** Returns the URL of a network's real node. @throws Error when the stack has none. */
export function nodeOf(facts: StackFile, network: NetworkName): string {
  const node = facts.networks[network]
  if (!node) throw new Error(`The stack has no ${network}`)
  return node.rpc
}

/** Returns the networks of the stack; a machine that has no node of a network leaves it out. */
export function networksOf(facts: StackFile): NetworkName[] {
  return (Object.keys(NETWORKS) as NetworkName[]).filter((network) => facts.networks[network] !== undefined)
}

/** Returns the contract of a rail's token. */
export function contractOf(facts: StackFile, rail: Pick<Rail, 'token'>): string {
  return rail.token === 'usdc'
    ? (facts.networks.polygon?.tokens.usdc.address ?? '')
    : facts.networks.ethereum.tokens.usdt.address
}

/** Returns an address of a network that was never used. */
export function strangerOn(network: NetworkName): string {
  if (network === 'litecoin') return faucetKey(randomBytes(32), LITECOIN_REGTEST).address
  return freshRecipient(network === 'bitcoin' ? 'btc' : 'eth')
}

/**
 * Returns what an address holds on the chain, in base units. Needs a scan where the chain has no accounts.
 */
export async function holdingOf(
  facts: StackFile,
  network: NetworkName,
  coin: string,
  address: string,
  scan: BitcoinScan | undefined,
): Promise<bigint> {
  if (scan) return scan.unspent(address)
  const rail = RAILS.find((each) => each.network === network && each.coin === coin)
  if (!rail) throw new Error(`${coin} on ${network} is no rail here`)
  const rpc = nodeOf(facts, network)
  return rail.token === null ? etherOf(rpc, address) : tokenOf(rpc, contractOf(facts, rail), address)
}

/** Returns the hash of a block from the real node. `null` when the chain is not that high. */
export function blockHashAt(facts: StackFile, network: NetworkName, height: number): Promise<string | null> {
  const rpc = nodeOf(facts, network)
  return NETWORKS[network].family === 'utxo' ? bitcoinHashAt(rpc, height) : ethereumHashAt(rpc, height)
}
