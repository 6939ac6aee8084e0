/**
 * Describes networks and coins as configuration has them. A new coin of a known family needs configuration
 * only.
 */

import { KeyturnError } from '../errors.js'
import type { Priority } from '../payouts/priority.js'
import type { Treasury } from '../payouts/treasury.js'

/** Native coin or token of a network. */
export interface Coin {
  /** Lower-case name used by the API, e.g. `usdt`. */
  readonly name: string
  readonly decimals: number
  /** Contract address (EIP-55) of an ERC-20 token. `null` for the network's native coin. */
  readonly contract: string | null
  /** Least amount, in base units, that is credited without a person's decision. 0 credits everything. */
  readonly dust: bigint
  /**
   * Least amount of a transfer from outside that is a deposit; smaller ones are only counted, against spam.
   * Absent: 0.
   */
  readonly minimum?: bigint
}

/**
 * Number of confirmations that an amount of at least `min` base units needs. The last matching tier holds.
 */
export interface ConfirmationTier {
  readonly min: bigint
  readonly confirmations: number
}

/** BIP-44-style derivation of a network: accounts `m/purpose'/coin_type'/account'`. */
export interface Derivation {
  readonly purpose: 44 | 84
  readonly coinType: number
}

/** Rules by which unmined transactions of a network are replaced. */
export interface ReplacementRules {
  /** Whether nodes accept a replacement with a higher fee. Bitcoin Cash's do not. */
  readonly supported: boolean
  /** Whether the platform replaces stuck transactions without a request. */
  readonly automatic: boolean
  /**
   * Milliseconds that the newest attempt of each priority may wait for a block before it counts as stuck.
   */
  readonly afterMs: Readonly<Record<Priority, number>>
  /**
   * Highest cost of a cancelling transaction, in base units of the native coin. Above `fees.maxTotal`, for
   * emergencies.
   */
  readonly maxCancelFee: bigint
}

interface NetworkBase {
  /** Lower-case name used by the API, e.g. `bitcoin`. */
  readonly name: string
  /** CAIP-2 chain id, e.g. `eip155:31337` or `bip122:<first 32 hex of the genesis hash>`. */
  readonly caip2: string
  /** Coins, the native one first. */
  readonly coins: readonly Coin[]
  /** Coins of an earlier configuration. They are shown and finished; nothing new begins in them. */
  readonly removedCoins?: readonly Coin[]
  readonly confirmations: number
  readonly confirmationTiers: Readonly<Record<string, readonly ConfirmationTier[]>>
  readonly derivation: Derivation
  /** RPC endpoints in the order of preference. They may carry credentials, so they are never logged. */
  readonly rpcUrls: readonly string[]
  /** Expected seconds between blocks, used for estimates only. */
  readonly blockTimeSeconds: number
  /** Milliseconds between polls of the chain's head. */
  readonly pollIntervalMs: number
  /** First height to scan if there is no cursor. `null` means the tip at the first start. */
  readonly startHeight: number | null
  /** Rules by which stuck transactions are replaced by ones with a higher fee. */
  readonly replacement: ReplacementRules
  /** Rules of movements between own wallets. Absent: `NO_TREASURY`. */
  readonly treasury?: Treasury
}

/** Block that distinguishes a chain from others. */
export interface Landmark {
  readonly height: number
  /** First hex digits of its hash, lower-case. */
  readonly hash: string
}

/** Network of the Bitcoin family. */
export interface UtxoNetwork extends NetworkBase {
  readonly family: 'utxo'
  /**
   * Blocks that a node must have: the genesis block, and one after each fork from which another chain went
   * on.
   */
  readonly landmarks: readonly Landmark[]
  /**
   * Address parameters. `bech32` is null where the network has no SegWit (Bitcoin Cash, which uses cashaddr).
   */
  readonly address: {
    readonly bech32: string | null
    readonly pubKeyHash: number
    readonly scriptHash: number
    readonly cashaddr: string | null
  }
  /** BIP-32 version bytes of exported keys (`0x043587cf` for test networks, `0x0488b21e` for main). */
  readonly bip32: { readonly public: number; readonly private: number }
  /** Script of own addresses: `p2wpkh`, or `p2pkh` on Bitcoin Cash. */
  readonly script: 'p2wpkh' | 'p2pkh'
  /** Fee rates in sat/vB. */
  readonly fees: {
    readonly fallbackRate: number
    readonly maxRate: number
    readonly minRate: number
    readonly maxTotal: bigint
    /** Rate that defines dust for the network's nodes. Absent: 3, as in Bitcoin Core. */
    readonly dustRate?: number
  }
}

/** Network of the Ethereum family. */
export interface EvmNetwork extends NetworkBase {
  readonly family: 'evm'
  readonly chainId: number
  /** Hash of its block 0, which a node must have. `null` where only the chain id is compared. */
  readonly genesisHash: string | null
  /** Bounds in wei. `maxTotal` is the highest cost of one transaction. */
  readonly fees: {
    readonly maxFeePerGas: bigint
    readonly maxPriorityFeePerGas: bigint
    /** Least tip that its nodes accept, also when recent blocks paid less. */
    readonly minPriorityFeePerGas: bigint
    readonly maxTotal: bigint
  }
  /**
   * Contract that returns what a transaction pays its parent chain on top of gas (OP-Stack). `null` without
   * such a fee.
   */
  readonly l1FeeOracle: string | null
  /** Whether the node answers `trace_block`. `null` means that the adapter asks it. */
  readonly traceBlock: boolean | null
  /**
   * Addresses (lower case) of the chain's own transactions. These may lack a receipt, and pay nothing then.
   */
  readonly systemSenders?: readonly string[]
}

export type Network = UtxoNetwork | EvmNetwork

/** Enabled networks by name. */
export type Networks = ReadonlyMap<string, Network>

/** Returns an enabled network. @throws KeyturnError `UNSUPPORTED_NETWORK`. */
export function findNetwork(networks: Networks, name: string): Network {
  const network = networks.get(name)
  if (!network) {
    throw new KeyturnError(
      'UNSUPPORTED_NETWORK',
      `Network "${name}" is not enabled here; GET /networks lists those that are`,
      {
        details: { network: name, enabled: [...networks.keys()] },
      },
    )
  }
  return network
}

/**
 * Returns a coin of something that exists, also one that was removed since. @throws KeyturnError
 * `UNSUPPORTED_COIN`.
 */
export function knownCoin(network: Network, name: string): Coin {
  return network.removedCoins?.find((each) => each.name === name) ?? findCoin(network, name)
}

/** Returns a coin that the configuration has or had, for the decimals of an amount. `undefined` without its network. */
export function namedCoin(networks: Networks, network: string, name: string): Coin | undefined {
  const known = networks.get(network)
  return [...(known?.coins ?? []), ...(known?.removedCoins ?? [])].find((coin) => coin.name === name)
}

/** Returns a coin in which something new may begin. @throws KeyturnError `UNSUPPORTED_COIN`. */
export function findCoin(network: Network, name: string): Coin {
  const coin = network.coins.find((each) => each.name === name)
  if (!coin) {
    throw new KeyturnError('UNSUPPORTED_COIN', `Coin "${name}" is not enabled on ${network.name}`, {
      details: { network: network.name, coin: name, enabled: network.coins.map((each) => each.name) },
    })
  }
  return coin
}

/** Returns the coin in which a network's fees are paid. */
export function nativeCoin(network: Network): Coin {
  const coin = network.coins[0]
  if (!coin) throw new Error(`Network ${network.name} has no native coin`)
  return coin
}

/** Returns the confirmations that `amount` base units of `coin` need on `network`. */
export function requiredConfirmations(network: Network, coin: string, amount: bigint): number {
  let confirmations = network.confirmations
  for (const tier of network.confirmationTiers[coin] ?? []) {
    if (amount >= tier.min) confirmations = tier.confirmations
  }
  return confirmations
}
