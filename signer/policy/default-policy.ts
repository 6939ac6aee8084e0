/** Makes the policy that `init` writes: the enabled networks, and no approver yet. */

import { assertNever } from '../../domain/assert-never.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import type { KeyRole } from '../../domain/signing/signer-protocol.js'
import { DEFAULT_DAILY_COUNT, type PolicyFile, type PolicyNetworkFile } from './policy.js'

const GWEI_DECIMALS = 9

/** Limits of one asset in whole coins. `null` is no limit. */
export interface AssetLimit {
  readonly perTransaction: string | null
  readonly daily: string | null
}

/** Roles that pay by default: on UTXO networks also deposits, on EVM networks the master and hot wallet. */
const PAYING_ROLES: Readonly<Record<Network['family'], KeyRole[]>> = {
  utxo: ['deposit', 'master', 'hot'],
  evm: ['master', 'hot'],
}

/** Highest index of a deposit address. Higher ones would hardly be found again from the seed alone. */
const MAX_ADDRESS_INDEX = 1_000_000
/** Nonces above the highest nonce of an account in the journal: four times what the platform has open. */
const NONCES_AHEAD = 64
/** Indices above the highest index of change in the journal. */
const CHANGE_AHEAD = 100
/** Dust rate of Bitcoin Core, in sat/vB. */
const DUST_RATE = 3

const DAY_SECONDS = 86_400
/** Multiple of a usual tip. Replacements raise a tip above the market's, by an eighth each. */
const TIP_MULTIPLE = 2n
/**
 * Gas for deposit addresses: one transfer is at most half the fee cap of a transaction, and a day's transfers
 * are twice that cap.
 */
const GAS_SHARE = 2n
const DAILY_GAS = 2n

/**
 * Limits of a small business in whole coins, by coin. Other coins cannot be paid until the operator sets a
 * limit.
 */
const LIMITS: Readonly<Record<string, AssetLimit>> = {
  btc: { perTransaction: '0.05', daily: '0.1' },
  eth: { perTransaction: '1', daily: '2' },
  ltc: { perTransaction: '20', daily: '40' },
  bch: { perTransaction: '5', daily: '10' },
  pol: { perTransaction: '5000', daily: '10000' },
  usdt: { perTransaction: '2500', daily: '5000' },
  usdc: { perTransaction: '2500', daily: '5000' },
}
const NOTHING: AssetLimit = { perTransaction: '0', daily: '0' }

/**
 * Makes a policy for a newly enrolled signer.
 *
 * @param limits - By `network:coin`. Any other asset has the limits of a small business, or 0 where its value
 * is not known here.
 */
export function defaultPolicy(options: {
  readonly merchantId: string
  readonly platformPublicKey: string
  readonly networks: Networks
  readonly limits: ReadonlyMap<string, AssetLimit>
}): PolicyFile {
  const networks: Record<string, PolicyNetworkFile> = {}
  for (const network of options.networks.values()) {
    if (isSignable(network)) networks[network.name] = policyNetwork(network, options.limits)
  }
  return {
    version: 1,
    merchant_id: options.merchantId,
    platform_public_key: options.platformPublicKey,
    quorum: 2,
    approvers: [],
    allowed_kinds: ['withdrawal', 'batch', 'consolidation', 'gas_funding', 'rebalance'],
    approval_max_age_seconds: DAY_SECONDS,
    clock_skew_seconds: 60,
    networks,
  }
}

/**
 * Returns whether this signer can sign on a network: EVM, and UTXO networks with P2WPKH or Bitcoin Cash's
 * P2PKH.
 */
export function isSignable(network: Network): boolean {
  switch (network.family) {
    case 'evm':
      return true
    case 'utxo': {
      const { bech32, cashaddr } = network.address
      return network.script === 'p2wpkh' ? bech32 !== null && cashaddr === null : cashaddr !== null
    }
    default:
      return assertNever(network)
  }
}

function policyNetwork(network: Network, limits: ReadonlyMap<string, AssetLimit>): PolicyNetworkFile {
  const native = network.coins[0]
  if (!native) throw new Error(`Network ${network.name} has no native coin`)
  const base = {
    caip2: network.caip2,
    derivation: { purpose: network.derivation.purpose, coin_type: network.derivation.coinType },
    paying_roles: PAYING_ROLES[network.family],
    max_address_index: MAX_ADDRESS_INDEX,
    max_fee: formatAmount(network.fees.maxTotal, native.decimals),
    ...(network.replacement.supported
      ? {
          cancel: {
            max_fee: formatAmount(network.replacement.maxCancelFee, native.decimals),
            daily_fees: formatAmount(network.replacement.maxCancelFee, native.decimals),
          },
        }
      : {}),
    movements: {
      daily_fee: formatAmount(network.fees.maxTotal, native.decimals),
      gas_funding: {
        utxo: { per_transaction: '0', daily: '0' },
        evm: {
          per_transaction: formatAmount(network.fees.maxTotal / GAS_SHARE, native.decimals),
          daily: formatAmount(network.fees.maxTotal * DAILY_GAS, native.decimals),
        },
      }[network.family],
      daily_count: { ...DEFAULT_DAILY_COUNT },
      treasury: [],
    },
    assets: Object.fromEntries(
      network.coins.map((coin) => {
        const limit = limits.get(`${network.name}:${coin.name}`) ?? LIMITS[coin.name] ?? NOTHING
        return [
          coin.name,
          {
            contract: coin.contract,
            decimals: coin.decimals,
            per_transaction: limit.perTransaction,
            daily: limit.daily,
          },
        ]
      }),
    ),
  }
  switch (network.family) {
    case 'evm':
      return {
        ...base,
        family: 'evm',
        chain_id: network.chainId,
        max_fee_per_gas_gwei: formatAmount(network.fees.maxFeePerGas, GWEI_DECIMALS),
        max_priority_fee_per_gas_gwei: formatAmount(
          least(network.fees.maxPriorityFeePerGas * TIP_MULTIPLE, network.fees.maxFeePerGas),
          GWEI_DECIMALS,
        ),
        max_nonces_ahead: NONCES_AHEAD,
        first_nonces: {},
      }
    case 'utxo':
      return {
        ...base,
        family: 'utxo',
        address: {
          bech32: network.address.bech32 ?? '',
          pub_key_hash: network.address.pubKeyHash,
          script_hash: network.address.scriptHash,
          ...(network.address.cashaddr === null ? {} : { cashaddr: network.address.cashaddr }),
        },
        max_fee_rate: network.fees.maxRate,
        max_change_ahead: CHANGE_AHEAD,
        dust_rate: network.fees.dustRate ?? DUST_RATE,
      }
    default:
      return assertNever(network)
  }
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
