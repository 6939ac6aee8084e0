/** Converts entries of `networks.yml` into the networks of the domain, with exact types. */

import { checksumAddress } from '../domain/address/eip55.js'
import type {
  Coin,
  ConfirmationTier,
  EvmNetwork,
  ReplacementRules,
  UtxoNetwork,
} from '../domain/chain/network.js'
import { parseAmount } from '../domain/money.js'
import type { EvmEntry, UtxoChain, UtxoEntry } from './networks-schema.js'
import { toTreasury } from './treasury-rules.js'

const GWEI_DECIMALS = 9

/** Returns an EVM network. @throws Error that names the invalid field. */
export function toEvmNetwork(networkName: string, entry: EvmEntry, genesisHash: string | null): EvmNetwork {
  if (entry.fees.min_priority_fee_gwei > entry.fees.max_priority_fee_gwei) {
    throw new Error(`networks.${networkName}.fees: min_priority_fee_gwei is above max_priority_fee_gwei`)
  }
  const native: Coin = {
    name: entry.coin.name,
    decimals: entry.coin.decimals,
    contract: null,
    dust: parseAmount(entry.coin.dust, entry.coin.decimals),
    minimum: parseAmount(entry.coin.minimum, entry.coin.decimals),
  }
  const tokens = Object.entries(entry.tokens).map(
    ([tokenName, token]): Coin => ({
      name: tokenName,
      decimals: token.decimals,
      contract: toEvmAddress(token.contract),
      dust: parseAmount(token.dust, token.decimals),
      minimum: parseAmount(token.minimum, token.decimals),
    }),
  )
  return {
    ...shared(networkName, entry, [native, ...tokens]),
    family: 'evm',
    caip2: `eip155:${entry.chain_id}`,
    chainId: entry.chain_id,
    genesisHash,
    derivation: { purpose: 44, coinType: entry.derivation.coin_type },
    fees: {
      maxFeePerGas: parseAmount(String(entry.fees.max_fee_gwei), GWEI_DECIMALS),
      maxPriorityFeePerGas: parseAmount(String(entry.fees.max_priority_fee_gwei), GWEI_DECIMALS),
      minPriorityFeePerGas: parseAmount(String(entry.fees.min_priority_fee_gwei), GWEI_DECIMALS),
      maxTotal: parseAmount(entry.fees.max_total, native.decimals),
    },
    l1FeeOracle: entry.l1_fee_oracle === null ? null : toEvmAddress(entry.l1_fee_oracle),
    traceBlock: entry.trace_block,
    systemSenders: entry.system_senders.map((sender) => sender.toLowerCase()),
  }
}

/** Returns a UTXO network. @throws Error that names the invalid field. */
export function toUtxoNetwork(networkName: string, entry: UtxoEntry, chain: UtxoChain): UtxoNetwork {
  const native: Coin = {
    name: entry.coin.name,
    decimals: entry.coin.decimals,
    contract: null,
    dust: parseAmount(entry.coin.dust, entry.coin.decimals),
    minimum: parseAmount(entry.coin.minimum, entry.coin.decimals),
  }
  return {
    ...shared(networkName, entry, [native]),
    family: 'utxo',
    caip2: `bip122:${chain.genesis}`,
    landmarks: [{ height: 0, hash: chain.block_0 ?? chain.genesis }, ...chain.landmarks],
    derivation: { purpose: chain.purpose, coinType: chain.coin_type },
    address: {
      bech32: chain.bech32,
      cashaddr: chain.cashaddr,
      pubKeyHash: chain.pub_key_hash,
      scriptHash: chain.script_hash,
    },
    bip32: { public: chain.xpub, private: chain.xprv },
    script: chain.script,
    fees: {
      fallbackRate: entry.fees.fallback_rate,
      minRate: entry.fees.min_rate,
      maxRate: entry.fees.max_rate,
      dustRate: entry.fees.dust_rate,
      maxTotal: parseAmount(entry.fees.max_total, native.decimals),
    },
  }
}

/** Minutes within which each priority should be confirmed, and after which an attempt counts as stuck. */
const REPLACE_AFTER_MINUTES = { low: 60, normal: 30, high: 15, urgent: 10 } as const
const MINUTE_MS = 60_000
/** Factor by which a cancelling transaction may cost more than a payout. */
const CANCEL_FEE_MULTIPLE = 2n

function replacementRules(entry: EvmEntry | UtxoEntry): ReplacementRules {
  const { supported, automatic, after, max_cancel_fee } = entry.replacement
  const of = (priority: keyof typeof REPLACE_AFTER_MINUTES) =>
    after[priority] ?? REPLACE_AFTER_MINUTES[priority] * MINUTE_MS
  const { decimals } = entry.coin
  return {
    supported,
    automatic: supported && automatic,
    afterMs: { low: of('low'), normal: of('normal'), high: of('high'), urgent: of('urgent') },
    maxCancelFee:
      max_cancel_fee === undefined
        ? parseAmount(entry.fees.max_total, decimals) * CANCEL_FEE_MULTIPLE
        : parseAmount(max_cancel_fee, decimals),
  }
}

function shared(networkName: string, entry: EvmEntry | UtxoEntry, coins: readonly Coin[]) {
  const confirmationTiers: Record<string, ConfirmationTier[]> = {}
  for (const [coinName, tiers] of Object.entries(entry.confirmation_tiers)) {
    const found = coins.find((each) => each.name === coinName)
    if (!found) throw new Error(`networks.${networkName}.confirmation_tiers: unknown coin ${coinName}`)
    confirmationTiers[coinName] = tiers
      .map((tier) => ({ min: parseAmount(tier.from, found.decimals), confirmations: tier.confirmations }))
      .sort((a, b) => (a.min < b.min ? -1 : 1))
  }
  return {
    name: networkName,
    coins,
    confirmations: entry.confirmations,
    confirmationTiers,
    rpcUrls: entry.rpc_urls,
    blockTimeSeconds: entry.block_time_seconds,
    pollIntervalMs: entry.poll_interval,
    startHeight: entry.start_height,
    replacement: replacementRules(entry),
    treasury: toTreasury(networkName, entry.family, coins, entry.treasury),
  }
}

/** Returns an EVM address with its checksum (EIP-55). @throws Error if the text is no address. */
function toEvmAddress(text: string): string {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text))
    throw new Error(`${text} is not an EVM address. Write 0x and 40 hex digits`)
  return checksumAddress(text.slice(2).toLowerCase())
}
