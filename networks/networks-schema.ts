/** Declares the schema of `networks.yml`. */

import { z } from 'zod'
import { parseDuration } from './parse-duration.js'
import { treasurySchema } from './treasury-rules.js'

/** Default tip of geth's block producers (`miner.gasprice`), far below the tips of every busy chain. */
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
/** Whole file. */
export const networksFile = z.strictObject({
  networks: z.record(name, z.discriminatedUnion('family', [evm, utxo])),
  utxo_chains: z.record(name, z.record(z.string(), utxoChain)).default({}),
  evm_chains: z.record(z.string().regex(/^[1-9][0-9]*$/), evmChain).default({}),
})

/** Entry of an EVM network. */
export type EvmEntry = z.infer<typeof evm>
/** Entry of a UTXO network. */
export type UtxoEntry = z.infer<typeof utxo>
/** Constants of one UTXO chain. */
export type UtxoChain = z.infer<typeof utxoChain>
