/** Reads `networks.yml`: it is parsed and checked at the edge, and has exact types inside. */

import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { checksumAddress } from '../domain/address/eip55.js'
import { byFamily } from '../domain/chain/by-family.js'
import type {
  Coin,
  ConfirmationTier,
  EvmNetwork,
  Network,
  Networks,
  ReplacementRules,
  UtxoNetwork,
} from '../domain/chain/network.js'
import { parseAmount } from '../domain/money.js'
import { parseDuration } from './parse-duration.js'
import { toTreasury, treasurySchema } from './treasury-rules.js'

const GWEI_DECIMALS = 9
/** Default tip of geth's block producers (`miner.gasprice`), far below what any busy chain pays. */
const DEFAULT_MIN_TIP_GWEI = 0.001
const name = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'names are lower-case letters, digits and hyphens')
const coin = z.strictObject({
  name,
  decimals: z.int().min(0).max(36),
  dust: z.string().default('0'),
  minimum: z.string().default('0'),
})
const urls = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((url) => url.trim())
      .filter(Boolean),
  )
  .pipe(z.array(z.url()).min(1))
const wait = z.string().transform(parseDuration)
const common = {
  enabled: z.boolean().default(true),
  coin,
  rpc_urls: urls,
  confirmations: z.int().min(1).max(10_000),
  confirmation_tiers: z
    .record(name, z.array(z.strictObject({ from: z.string(), confirmations: z.int().min(1) })))
    .default({}),
  block_time_seconds: z.number().positive(),
  poll_interval: z.string().default('2s').transform(parseDuration),
  start_height: z.int().min(0).nullable().default(null),
  replacement: z
    .strictObject({
      supported: z.boolean().default(true),
      automatic: z.boolean().default(true),
      after: z.strictObject({ low: wait, normal: wait, high: wait, urgent: wait }).partial().default({}),
      max_cancel_fee: z.string().optional(),
    })
    .default({ supported: true, automatic: true, after: {} }),
  treasury: treasurySchema,
}
const evm = z.strictObject({
  ...common,
  family: z.literal('evm'),
  chain_id: z.int().min(1),
  derivation: z.strictObject({ purpose: z.literal(44), coin_type: z.int().min(0) }),
  fees: z.strictObject({
    max_fee_gwei: z.number().positive(),
    max_priority_fee_gwei: z.number().positive(),
    min_priority_fee_gwei: z.number().positive().default(DEFAULT_MIN_TIP_GWEI),
    max_total: z.string(),
  }),
  trace_block: z.boolean().nullable().default(null),
  l1_fee_oracle: z.string().nullable().default(null),
  system_senders: z.array(z.string().regex(/^0x[0-9a-fA-F]{40}$/)).default([]),
  tokens: z
    .record(
      name,
      z.strictObject({
        contract: z.string(),
        decimals: z.int().min(0).max(36),
        dust: z.string().default('0'),
        minimum: z.string().default('0'),
      }),
    )
    .default({}),
})
const utxo = z.strictObject({
  ...common,
  family: z.literal('utxo'),
  chain: z.string(),
  fees: z.strictObject({
    fallback_rate: z.number().positive(),
    min_rate: z.number().positive(),
    max_rate: z.number().positive(),
    max_total: z.string(),
    dust_rate: z.number().positive().default(3),
  }),
})
const hashPrefix = z.coerce.string().regex(/^[0-9a-f]{32}$/, '32 lower-case hex digits, in quotes')
const utxoChain = z.strictObject({
  genesis: hashPrefix,
  block_0: hashPrefix.optional(),
  landmarks: z.array(z.strictObject({ height: z.int().min(1), hash: hashPrefix })).default([]),
  bech32: z.string().nullable().default(null),
  cashaddr: z.string().nullable().default(null),
  pub_key_hash: z.int(),
  script_hash: z.int(),
  xpub: z.int(),
  xprv: z.int(),
  purpose: z.union([z.literal(44), z.literal(84)]),
  coin_type: z.int().min(0),
  script: z.enum(['p2wpkh', 'p2pkh']),
})
const evmChain = z.strictObject({
  genesis: z.string().regex(/^0x[0-9a-f]{64}$/, '0x and 64 lower-case hex digits, in quotes'),
})
const file = z.strictObject({
  networks: z.record(name, z.discriminatedUnion('family', [evm, utxo])),
  utxo_chains: z.record(name, z.record(z.string(), utxoChain)).default({}),
  evm_chains: z.record(z.string().regex(/^[1-9][0-9]*$/), evmChain).default({}),
})

/** File that ships with the product. */
export const DEFAULT_NETWORKS_FILE = new URL('../config/networks.yml', import.meta.url)

/**
 * Reads and checks the networks that this installation serves. Networks with `enabled: false` are left out.
 *
 * @param path - Path of the file. Default: `KEYTURN_NETWORKS_FILE`, else the file that ships with the
 * product.
 * @param environment - Source of `${NAME}`. Default `process.env`.
 * @throws Error that names the file, the path in it and the reason.
 */
export async function loadNetworks(
  path: string | URL = process.env.KEYTURN_NETWORKS_FILE ?? DEFAULT_NETWORKS_FILE,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Networks> {
  return parseNetworks(await readFile(path, 'utf8'), environment, String(path))
}

/** As `loadNetworks`, from the file's text. */
export function parseNetworks(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = {},
  source = 'networks.yml',
): Networks {
  const withoutComments = text.replace(/^\s*#.*$/gm, '')
  const expanded = withoutComments.replace(
    /\$\{([A-Z0-9_]+)(?::-([^}]*))?\}/g,
    (_whole, variable: string, fallback?: string) => {
      const value = environment[variable] ?? fallback
      if (value === undefined) throw new Error(`${source}: set ${variable} in the environment`)
      return value
    },
  )
  const parsed = file.safeParse(parse(expanded))
  if (!parsed.success) throw new Error(`${source}: ${z.prettifyError(parsed.error)}`)
  const networks = new Map<string, Network>()
  for (const [networkName, entry] of Object.entries(parsed.data.networks)) {
    if (!entry.enabled) continue
    const network = byFamily(entry, {
      utxo: (utxo): Network => {
        const chain = parsed.data.utxo_chains[networkName]?.[utxo.chain]
        if (!chain) throw new Error(`${source}: utxo_chains.${networkName}.${utxo.chain} is missing`)
        return toUtxoNetwork(networkName, utxo, chain)
      },
      evm: (evm): Network =>
        toEvmNetwork(networkName, evm, parsed.data.evm_chains[evm.chain_id]?.genesis ?? null),
    })
    networks.set(networkName, network)
  }
  refuseTwins([...networks.values()], source)
  return networks
}

/**
 * Refuses two networks that could be confused. An intent names its network by CAIP-2 id alone, and a
 * signature on a chain of the Bitcoin family names none. Coin type 1 belongs to every test network (SLIP-44),
 * where nothing is at risk.
 */
function refuseTwins(networks: readonly Network[], source: string): void {
  const keysOf = (network: Network) => `${network.derivation.purpose}/${network.derivation.coinType}`
  for (const [index, one] of networks.entries()) {
    for (const other of networks.slice(index + 1)) {
      if (one.caip2 === other.caip2) {
        throw new Error(`${source}: ${one.name} and ${other.name} are both ${one.caip2}`)
      }
      const sameFamily = one.family === other.family
      const signsForNone = byFamily(one, { utxo: () => true, evm: () => false })
      if (sameFamily && signsForNone && one.derivation.coinType !== 1 && keysOf(one) === keysOf(other)) {
        throw new Error(
          `${source}: ${one.name} and ${other.name} would have the same keys; give one another coin_type`,
        )
      }
    }
  }
}

function toEvmNetwork(
  networkName: string,
  entry: z.infer<typeof evm>,
  genesisHash: string | null,
): EvmNetwork {
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

function toUtxoNetwork(
  networkName: string,
  entry: z.infer<typeof utxo>,
  chain: z.infer<typeof utxoChain>,
): UtxoNetwork {
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

function replacementRules(entry: z.infer<typeof evm> | z.infer<typeof utxo>): ReplacementRules {
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

function shared(
  networkName: string,
  entry: z.infer<typeof evm> | z.infer<typeof utxo>,
  coins: readonly Coin[],
) {
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
    throw new Error(`${text} is not an EVM address: 0x and 40 hex digits`)
  return checksumAddress(text.slice(2).toLowerCase())
}
