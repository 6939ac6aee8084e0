/**
 * Defines the customer's policy: what this signer may sign. Its file is the only source of trust besides the
 * seed.
 */

import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { assertNever } from '../../domain/assert-never.js'
import { canonicalJson } from '../../domain/canonical-json.js'
import { INTENT_KINDS } from '../../domain/controls/intent.js'
import { parseAmount } from '../../domain/money.js'
import { refuseEd25519Point } from '../../domain/signing/refuse-ed25519-key.js'
import { KEY_ROLES, type KeyRole } from '../../domain/signing/signer-protocol.js'
import type { AddressPrefixes } from '../utxo/address-script.js'
import type { KeyScriptKind } from '../utxo/key-script.js'
import { treasuryKey } from './treasury-key.js'

const GWEI_DECIMALS = 9
/** Highest first nonce. An account that paid every second would need more than a century for it. */
const MAX_FIRST_NONCE = 4_000_000_000
/**
 * Default of `max_nonces_ahead`. The platform has at most 16 open transactions of an account, and a few
 * nonces below them may be free.
 */
const MAX_NONCES_AHEAD = 64
/**
 * Default of `max_change_ahead`. A wallet that is restored from its seed searches further than this without a
 * gap.
 */
const MAX_CHANGE_AHEAD = 100
/** Divisor of the highest price that bounds a tip by default. No market asked for a higher tip. */
const TIP_SHARE = 5n
/** Dust rate of Bitcoin Core and Bitcoin Cash Node, in sat/vB. */
const DUST_RATE = 3

const name = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'names are lower-case letters, digits and hyphens')
const amount = z.string().regex(/^(0|[1-9]\d*)(\.\d+)?$/, 'write a decimal amount in whole coins, e.g. "1.5"')
/** Schema of a raw Ed25519 key. A key has one text only: two texts of one key would look like two keys. */
const key = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/, 'write 32 bytes in base64')
  .superRefine((text, context) => {
    const raw = Buffer.from(text, 'base64')
    const reason =
      raw.toString('base64') === text ? refuseEd25519Point(raw) : 'is not the canonical base64 of its bytes'
    if (reason !== null) context.addIssue({ code: 'custom', message: `the key ${reason}` })
  })
const count = z.int().min(0).max(1_000_000)
const asset = z.strictObject({
  /** EIP-55 address of an ERC-20 token. `null` for the network's own coin. */
  contract: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/)
    .nullable(),
  decimals: z.int().min(0).max(36),
  /** Limit of one payout in whole coins. `null` is no limit, and must be written. */
  per_transaction: amount.nullable(),
  /** Limit of any 24 hours in whole coins. `null` is no limit, and must be written. */
  daily: amount.nullable(),
})
const shared = {
  caip2: z.string(),
  derivation: z.strictObject({ purpose: z.union([z.literal(44), z.literal(84)]), coin_type: z.int().min(0) }),
  /** Roles whose keys may pay. */
  paying_roles: z.array(z.enum(KEY_ROLES)),
  max_address_index: z.int().min(0).max(0x7fff_ffff),
  /** Highest fee of one transaction, in whole coins of the network's own coin. */
  max_fee: amount,
  /**
   * Budgets of movements between own wallets, which no person approves, in whole coins of the own coin.
   * Without them no movement is signed.
   */
  movements: z
    .strictObject({
      /** Highest sum of their fees in any 24 hours. */
      daily_fee: amount,
      /** Limits of the gas that deposit addresses get, for one transfer and for any 24 hours. */
      gas_funding: z.strictObject({ per_transaction: amount, daily: amount }),
      /**
       * Most movements that may begin in any 24 hours, by kind. Without it `DEFAULT_DAILY_COUNT` holds, as in
       * older policies.
       */
      daily_count: z.strictObject({ consolidation: count, gas_funding: count, rebalance: count }).optional(),
      /** Addresses of other seeds that consolidation and rebalancing may fill. */
      treasury: z.array(z.string().min(1)).default([]),
    })
    .optional(),
  /**
   * Limits of cancellations, which have no recipient and take a payout's place without approval. Without them
   * none is signed.
   */
  cancel: z
    .strictObject({
      /**
       * Highest fee of one cancellation in whole coins of the own coin: an emergency cap, above the payout's
       * `max_fee`.
       */
      max_fee: amount,
      /** Highest sum of their fees in any 24 hours, in whole coins. */
      daily_fees: amount,
    })
    .optional(),
  assets: z.record(name, asset),
}
const network = z.discriminatedUnion('family', [
  z.strictObject({
    ...shared,
    family: z.literal('utxo'),
    address: z.strictObject({
      bech32: z.string(),
      pub_key_hash: z.int(),
      script_hash: z.int(),
      /** Prefix of Bitcoin Cash. With it keys are paid by P2PKH, and signatures carry SIGHASH_FORKID. */
      cashaddr: z
        .string()
        .regex(/^[a-z]+$/)
        .optional(),
    }),
    /** Highest fee rate in sat/vB. */
    max_fee_rate: z.number().positive(),
    /**
     * Distance above the highest index of change in the journal at which change may lie. Default:
     * `MAX_CHANGE_AHEAD`.
     */
    max_change_ahead: z.int().min(0).max(1_000_000).optional(),
    /** Dust rate of the network's nodes, in sat/vB. Default: Bitcoin Core's 3. */
    dust_rate: z.number().min(0).max(1_000).optional(),
  }),
  z.strictObject({
    ...shared,
    family: z.literal('evm'),
    chain_id: z.int().min(1),
    max_fee_per_gas_gwei: amount,
    /** Highest tip, which the builder of a block keeps. Default: a fifth of `max_fee_per_gas_gwei`. */
    max_priority_fee_per_gas_gwei: amount.optional(),
    /**
     * Distance above the highest nonce of an account in the journal at which a nonce may lie. Default:
     * `MAX_NONCES_AHEAD`.
     */
    max_nonces_ahead: z.int().min(1).max(1_000_000).optional(),
    /**
     * Next nonces of accounts that paid before this journal began, by address. All other accounts begin at 0.
     */
    first_nonces: z
      .record(z.string().regex(/^0x[0-9a-fA-F]{40}$/), z.int().min(0).max(MAX_FIRST_NONCE))
      .optional(),
  }),
])

/** Schema of `policy.json`. */
export const policySchema = z.strictObject({
  version: z.literal(1),
  merchant_id: z.string().min(1),
  platform_public_key: key,
  /** Number of distinct persons who must approve. Fewer than 2, or no approvers, denies everything. */
  quorum: z.int(),
  approvers: z.array(
    z.strictObject({
      approver_id: z.string().min(1),
      person_id: z.string().min(1),
      name: z.string(),
      /** Approver's raw 32-byte Ed25519 key in base64. */
      public_key: key,
    }),
  ),
  allowed_kinds: z.array(z.enum(INTENT_KINDS)),
  approval_max_age_seconds: z.int().min(1),
  clock_skew_seconds: z.int().min(0).max(3_600),
  networks: z.record(name, network),
})

/** Content of `policy.json`. */
export type PolicyFile = z.infer<typeof policySchema>
export type PolicyNetworkFile = PolicyFile['networks'][string]

/** An approver with a key that the customer pinned. */
export interface PinnedApprover {
  readonly approverId: string
  readonly personId: string
  readonly key: KeyObject
}

/** An asset with its limits in base units. `null` is no limit. */
export interface PolicyAsset {
  readonly coin: string
  /** Contract in lower case. `null` for the network's own coin. */
  readonly contract: string | null
  readonly decimals: number
  readonly perTransaction: bigint | null
  readonly daily: bigint | null
}

/**
 * Default daily counts. They allow the sweep of a thousand deposit addresses on each network, with gas for
 * each. A larger sweep continues on the next day.
 */
export const DEFAULT_DAILY_COUNT = { consolidation: 1_000, gas_funding: 1_000, rebalance: 100 } as const

/** Budgets of movements in base units of the native coin. */
export interface PolicyMovements {
  readonly dailyFee: bigint
  readonly gasPerTransaction: bigint
  readonly gasDaily: bigint
  /** Most movements that may begin in any 24 hours, by kind. */
  readonly dailyCount: {
    readonly consolidation: number
    readonly gas_funding: number
    readonly rebalance: number
  }
  /** Treasury addresses as `treasuryKey` writes them. */
  readonly treasury: ReadonlySet<string>
}

interface PolicyNetworkBase {
  readonly name: string
  readonly caip2: string
  readonly derivation: { readonly purpose: number; readonly coin_type: number }
  readonly payingRoles: readonly KeyRole[]
  readonly maxAddressIndex: number
  /** Highest fee of one transaction in base units of the native coin. */
  readonly maxFee: bigint
  /** Budgets of movements. `null` when no movement is signed. */
  readonly movements: PolicyMovements | null
  /** Limits of cancellations in base units of the native coin. `null` when none is signed. */
  readonly cancel: { readonly maxFee: bigint; readonly dailyFees: bigint } | null
  readonly native: PolicyAsset
  readonly assets: ReadonlyMap<string, PolicyAsset>
}
export interface PolicyUtxoNetwork extends PolicyNetworkBase {
  readonly family: 'utxo'
  readonly address: AddressPrefixes
  readonly script: KeyScriptKind
  /** Highest fee rate in sat/vB. */
  readonly maxFeeRate: number
  /** Distance of change above the journal's highest index. */
  readonly maxChangeAhead: number
  /** Dust rate in sat/vB. */
  readonly dustRate: number
}
export interface PolicyEvmNetwork extends PolicyNetworkBase {
  readonly family: 'evm'
  readonly chainId: number
  /** Highest price of gas in wei. */
  readonly maxFeePerGas: bigint
  /** Highest tip in wei. */
  readonly maxPriorityFeePerGas: bigint
  /** Distance of a nonce above the journal's highest nonce of the account. */
  readonly maxNoncesAhead: number
  /** First nonces by address in lower case. */
  readonly firstNonces: ReadonlyMap<string, number>
}
export type PolicyNetwork = PolicyUtxoNetwork | PolicyEvmNetwork

/** The policy in the form that checks use: amounts in base units, parsed keys, networks by CAIP-2. */
export interface Policy {
  readonly file: PolicyFile
  /** Hash of the policy, see `policyHash`. */
  readonly hash: string
  readonly merchantId: string
  readonly quorum: number
  readonly approvers: ReadonlyMap<string, PinnedApprover>
  readonly allowedKinds: readonly string[]
  readonly approvalMaxAgeMs: number
  readonly clockSkewMs: number
  readonly networks: ReadonlyMap<string, PolicyNetwork>
}

/** Returns the lower-case hex SHA-256 of `"keyturn-policy-v1\n"` and the canonical JSON of the policy. */
export function policyHash(file: PolicyFile): string {
  return createHash('sha256')
    .update(`keyturn-policy-v1\n${canonicalJson(file)}`)
    .digest('hex')
}

/**
 * Parses the text of `policy.json`.
 *
 * @throws Error that names the fault. The caller then denies everything.
 */
export function parsePolicy(text: string): Policy {
  const parsed = policySchema.safeParse(JSON.parse(text))
  if (!parsed.success) throw new Error(`policy.json is not usable:\n${z.prettifyError(parsed.error)}`)
  return compilePolicy(parsed.data)
}

/** Compiles a policy for use. @throws Error when entries contradict each other. */
export function compilePolicy(file: PolicyFile): Policy {
  const networks = new Map<string, PolicyNetwork>()
  for (const [networkName, entry] of Object.entries(file.networks)) {
    if (networks.has(entry.caip2)) throw new Error(`policy.json: ${entry.caip2} is there twice`)
    networks.set(entry.caip2, compileNetwork(networkName, entry))
  }
  return {
    file,
    hash: policyHash(file),
    merchantId: file.merchant_id,
    quorum: file.quorum,
    approvers: compileApprovers(file),
    allowedKinds: file.allowed_kinds,
    approvalMaxAgeMs: file.approval_max_age_seconds * 1_000,
    clockSkewMs: file.clock_skew_seconds * 1_000,
    networks,
  }
}

/** Compiles the approvers. One key must not stand for two persons, because the quorum counts persons. */
function compileApprovers(file: PolicyFile): Map<string, PinnedApprover> {
  const approvers = new Map<string, PinnedApprover>()
  const keys = new Set<string>()
  for (const each of file.approvers) {
    if (approvers.has(each.approver_id))
      throw new Error(`policy.json: approver ${each.approver_id} is there twice`)
    if (keys.has(each.public_key))
      throw new Error(`policy.json: two approvers have the key of ${each.approver_id}`)
    keys.add(each.public_key)
    const x = Buffer.from(each.public_key, 'base64').toString('base64url')
    const pinned = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    approvers.set(each.approver_id, { approverId: each.approver_id, personId: each.person_id, key: pinned })
  }
  return approvers
}

function compileNetwork(networkName: string, entry: PolicyNetworkFile): PolicyNetwork {
  const assets = new Map(
    Object.entries(entry.assets).map(([coin, each]): [string, PolicyAsset] => [
      coin,
      {
        coin,
        contract: each.contract?.toLowerCase() ?? null,
        decimals: each.decimals,
        perTransaction:
          each.per_transaction === null ? null : parseAmount(each.per_transaction, each.decimals),
        daily: each.daily === null ? null : parseAmount(each.daily, each.decimals),
      },
    ]),
  )
  const natives = [...assets.values()].filter((each) => each.contract === null)
  const [native] = natives
  if (!native || natives.length > 1) {
    throw new Error(`policy.json: networks.${networkName} needs exactly one asset whose contract is null`)
  }
  const base = {
    name: networkName,
    caip2: entry.caip2,
    derivation: entry.derivation,
    payingRoles: entry.paying_roles,
    maxAddressIndex: entry.max_address_index,
    maxFee: parseAmount(entry.max_fee, native.decimals),
    movements: compileMovements(entry.movements, native.decimals),
    cancel: entry.cancel
      ? {
          maxFee: parseAmount(entry.cancel.max_fee, native.decimals),
          dailyFees: parseAmount(entry.cancel.daily_fees, native.decimals),
        }
      : null,
    native,
    assets,
  }
  switch (entry.family) {
    case 'utxo': {
      if (assets.size > 1) throw new Error(`policy.json: networks.${networkName} has no tokens`)
      return {
        ...base,
        family: 'utxo',
        address: entry.address,
        script: entry.address.cashaddr === undefined ? 'p2wpkh' : 'p2pkh-forkid',
        maxFeeRate: entry.max_fee_rate,
        maxChangeAhead: entry.max_change_ahead ?? MAX_CHANGE_AHEAD,
        dustRate: entry.dust_rate ?? DUST_RATE,
      }
    }
    case 'evm': {
      if (entry.caip2 !== `eip155:${entry.chain_id}`) {
        throw new Error(`policy.json: networks.${networkName}: caip2 and chain_id contradict each other`)
      }
      return {
        ...base,
        family: 'evm',
        chainId: entry.chain_id,
        maxFeePerGas: parseAmount(entry.max_fee_per_gas_gwei, GWEI_DECIMALS),
        maxPriorityFeePerGas:
          entry.max_priority_fee_per_gas_gwei === undefined
            ? parseAmount(entry.max_fee_per_gas_gwei, GWEI_DECIMALS) / TIP_SHARE
            : parseAmount(entry.max_priority_fee_per_gas_gwei, GWEI_DECIMALS),
        maxNoncesAhead: entry.max_nonces_ahead ?? MAX_NONCES_AHEAD,
        firstNonces: new Map(
          Object.entries(entry.first_nonces ?? {}).map(([address, nonce]) => [address.toLowerCase(), nonce]),
        ),
      }
    }
    default:
      return assertNever(entry)
  }
}

function compileMovements(
  movements: PolicyNetworkFile['movements'],
  decimals: number,
): PolicyMovements | null {
  if (movements === undefined) return null
  return {
    dailyFee: parseAmount(movements.daily_fee, decimals),
    gasPerTransaction: parseAmount(movements.gas_funding.per_transaction, decimals),
    gasDaily: parseAmount(movements.gas_funding.daily, decimals),
    dailyCount: movements.daily_count ?? DEFAULT_DAILY_COUNT,
    treasury: new Set(movements.treasury.map(treasuryKey)),
  }
}
