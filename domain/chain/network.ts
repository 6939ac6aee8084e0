/** Networks and coins as configuration describes them; a new coin of a known family is configuration only. */

import { KeyturnError } from '../errors.js'
import type { Priority } from '../payouts/priority.js'
import type { Treasury } from '../payouts/treasury.js'

/** A native coin or token of a network. */
export interface Coin {
  /** Lower-case name used by the API, e.g. `usdt`. */
  readonly name: string
  readonly decimals: number
  /** Contract address (EIP-55) of an ERC-20 token; null for the network's native coin. */
  readonly contract: string | null
  /** Amounts below this many base units are recorded but never credited by themselves; 0 credits everything. */
  readonly dust: bigint
  /** Transfers of fewer base units from outside are only counted, against spam; absent: 0, each is a deposit. */
  readonly minimum?: bigint
}

/** The number of confirmations that an amount from `min` base units up needs (the last matching tier holds). */
export interface ConfirmationTier {
  readonly min: bigint
  readonly confirmations: number
}

/** BIP-44-style derivation of a network: accounts `m/purpose'/coin_type'/account'`. */
export interface Derivation {
  readonly purpose: 44 | 84
  readonly coinType: number
}

/** How unmined transactions of a network are replaced. */
export interface ReplacementRules {
  /** Whether nodes take a dearer transaction in the place of one that they have; Bitcoin Cash's do not. */
  readonly supported: boolean
  /** Whether it happens by itself. */
  readonly automatic: boolean
  /** How long the newest attempt of each priority may wait for a block before it does, in milliseconds. */
  readonly afterMs: Readonly<Record<Priority, number>>
  /** The most that a cancelling transaction may cost, in base units of the native coin; above `fees.maxTotal`, for emergencies. */
  readonly maxCancelFee: bigint
}

interface NetworkBase {
  /** Lower-case name used by the API, e.g. `bitcoin`. */
  readonly name: string
  /** CAIP-2 chain id, e.g. `eip155:31337` or `bip122:<first 32 hex of the genesis hash>`. */
  readonly caip2: string
  /** Native coin first, then tokens. */
  readonly coins: readonly Coin[]
  /** What an earlier configuration had: shown and finished, nothing new begins in it. */
  readonly removedCoins?: readonly Coin[]
  readonly confirmations: number
  readonly confirmationTiers: Readonly<Record<string, readonly ConfirmationTier[]>>
  readonly derivation: Derivation
  /** RPC endpoints in the order of preference; may carry credentials, so never logged. */
  readonly rpcUrls: readonly string[]
  /** Expected seconds between blocks; used for ETAs only. */
  readonly blockTimeSeconds: number
  /** Milliseconds between looks at the chain's head. */
  readonly pollIntervalMs: number
  /** First height to scan when no cursor exists; null means the tip at first start. */
  readonly startHeight: number | null
  /** Whether and when a transaction that lags is replaced by a dearer one. */
  readonly replacement: ReplacementRules
  /** Movements between own wallets; absent: `NO_TREASURY`. */
  readonly treasury?: Treasury
}

/** A block that tells a chain from others. */
export interface Landmark {
  readonly height: number
  /** The first hex digits of its hash, lower-case. */
  readonly hash: string
}

/** Bitcoin and its kin. */
export interface UtxoNetwork extends NetworkBase {
  readonly family: 'utxo'
  /** What a node must have to be used: the genesis block, and a block after each fork from which another chain went on. */
  readonly landmarks: readonly Landmark[]
  /** Address parameters; `bech32` null where the network has no SegWit (Bitcoin Cash, which uses cashaddr). */
  readonly address: {
    readonly bech32: string | null
    readonly pubKeyHash: number
    readonly scriptHash: number
    readonly cashaddr: string | null
  }
  /** BIP-32 version bytes of exported keys (`0x043587cf` for test networks, `0x0488b21e` for main). */
  readonly bip32: { readonly public: number; readonly private: number }
  /** `p2wpkh` or, on Bitcoin Cash, `p2pkh`. */
  readonly script: 'p2wpkh' | 'p2pkh'
  /** Fee rates in sat/vB. */
  readonly fees: {
    readonly fallbackRate: number
    readonly maxRate: number
    readonly minRate: number
    readonly maxTotal: bigint
    /** The rate at which the network's nodes reckon what is dust; Bitcoin Core's 3 when left out. */
    readonly dustRate?: number
  }
}

/** An Ethereum-like chain. */
export interface EvmNetwork extends NetworkBase {
  readonly family: 'evm'
  readonly chainId: number
  /** Hash of its block 0, which a node must have to be used; null where only the chain id is compared. */
  readonly genesisHash: string | null
  /** Bounds in wei. `maxTotal` is the most that one transaction may cost. */
  readonly fees: {
    readonly maxFeePerGas: bigint
    readonly maxPriorityFeePerGas: bigint
    /** The least tip that its nodes take, whatever recent blocks paid. */
    readonly minPriorityFeePerGas: bigint
    readonly maxTotal: bigint
  }
  /** The contract that says what a transaction pays its parent chain on top of gas (OP-Stack); null where there is no such fee. */
  readonly l1FeeOracle: string | null
  /** Whether the node answers `trace_block`; null means ask it. */
  readonly traceBlock: boolean | null
  /** Addresses (lower case) in whose name the chain itself acts; their transactions may lack a receipt, and pay nothing then. */
  readonly systemSenders?: readonly string[]
}

export type Network = UtxoNetwork | EvmNetwork

/** All enabled networks by name. */
export type Networks = ReadonlyMap<string, Network>

/** Finds an enabled network. @throws KeyturnError `UNSUPPORTED_NETWORK`. */
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

/** Finds a coin of what is under way or done, also one that was removed since. @throws KeyturnError `UNSUPPORTED_COIN`. */
export function knownCoin(network: Network, name: string): Coin {
  return network.removedCoins?.find((each) => each.name === name) ?? findCoin(network, name)
}

/** Finds a coin in which something new may begin. @throws KeyturnError `UNSUPPORTED_COIN`. */
export function findCoin(network: Network, name: string): Coin {
  const coin = network.coins.find((each) => each.name === name)
  if (!coin) {
    throw new KeyturnError('UNSUPPORTED_COIN', `Coin "${name}" is not enabled on ${network.name}`, {
      details: { network: network.name, coin: name, enabled: network.coins.map((each) => each.name) },
    })
  }
  return coin
}

/** The coin in which a network's fees are paid. */
export function nativeCoin(network: Network): Coin {
  const coin = network.coins[0]
  if (!coin) throw new Error(`Network ${network.name} has no native coin`)
  return coin
}

/** Confirmations that a movement of `amount` base units of `coin` needs on `network`. */
export function requiredConfirmations(network: Network, coin: string, amount: bigint): number {
  let confirmations = network.confirmations
  for (const tier of network.confirmationTiers[coin] ?? []) {
    if (amount >= tier.min) confirmations = tier.confirmations
  }
  return confirmations
}
