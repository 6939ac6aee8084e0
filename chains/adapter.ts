/** The one interface behind which every chain family stands. Adapters hold no state but their RPC connections. */

import type { Family } from '../domain/chain/by-family.js'
import type { EvmNetwork, Network, UtxoNetwork } from '../domain/chain/network.js'
import type { Priority } from '../domain/payouts/priority.js'
import type { EvmPayload, UtxoPayload } from '../domain/signing/signer-protocol.js'
import type { NodeReport } from './node-report.js'

export interface BlockRef {
  readonly height: number
  readonly hash: string
}

/** A payment to one recipient: an output (UTXO) or a native, internal or token transfer (EVM). */
export interface Transfer {
  readonly txid: string
  /** Output index, or the ordinal of the transfer in its transaction (see `deposits.output_index`). */
  readonly index: number
  /** Lower-case hex of the payee's 20 bytes: HASH160 of the key (P2WPKH, P2PKH) or the EVM address. Others cannot be ours. */
  readonly payee: string
  readonly coin: string
  /** Base units. For tokens what the log says, not what was asked for. */
  readonly amount: bigint
  readonly coinbase?: boolean
  /** On EVM networks, where who paid is known without asking. */
  readonly origin?: TransferOrigin
}

/** Who paid an EVM transfer, and what its transaction cost. */
export interface TransferOrigin {
  /** 0x and 40 lower-case hex digits. */
  readonly payer: string
  /** Of the transaction, in base units of the native coin; null while it is in no block, or where the receipt does not say. */
  readonly fee: bigint | null
}

/**
 * What a transaction uses up, so that of two with the same only one can be mined: an outpoint (UTXO), or the sender's
 * address in lower case and the nonce (EVM, where blocks do not list them).
 */
export interface Spend {
  readonly txid: string
  readonly prevTxid: string
  readonly prevVout: number
}

/** A payment of the chain itself, in its native coin: it has no sender, and no transaction holds it (EIP-4895). */
export interface Grant {
  /** As in `Transfer`. */
  readonly payee: string
  /** Base units. */
  readonly amount: bigint
  /** The withdrawal's index: never used twice on a chain. */
  readonly reference: string
}

export interface Block extends BlockRef {
  readonly parentHash: string
  /** Unix seconds. */
  readonly time: number
  readonly transfers: readonly Transfer[]
  readonly spends: readonly Spend[]
  /** Every transaction in it. */
  readonly txids: readonly string[]
  /** On EVM networks with validators: their withdrawals. */
  readonly grants?: readonly Grant[]
  /** EVM: no node has its traces any more, so payments by contracts in it are not among the transfers. */
  readonly untraced?: boolean
  /** What each transaction cost its sender (EVM), whether or not it succeeded. */
  readonly charges?: readonly Charge[]
}

/** What a transaction cost its sender: a network fee, in base units of the native coin; 0 where it was free, and used a nonce all the same. */
export interface Charge {
  readonly txid: string
  /** As `Transfer.payee`. */
  readonly payer: string
  readonly amount: bigint
}

/** Transactions that are new in the mempool since the last poll. */
export interface MempoolLook {
  /** All txids in it now: what was detected, is not here and not mined, was dropped or replaced. */
  readonly txids: ReadonlySet<string>
  readonly transfers: readonly Transfer[]
  readonly spends: readonly Spend[]
}

/** What only matched transfers are asked for: amounts in base units, addresses in the network's own form. */
export interface TransferDetails {
  readonly sources: readonly { readonly address: string; readonly amount: bigint }[]
  readonly destinations: readonly { readonly address: string; readonly amount: bigint }[]
  /** Network fee of the transaction in base units of the native coin; null while unknown. */
  readonly fee: bigint | null
  /** What it uses up, so that conflicts are noticed. */
  readonly spends: readonly Spend[]
}

/** What became of a transaction of ours. */
export type TransactionOutcome =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'mempool' }
  | {
      readonly kind: 'mined'
      readonly block: BlockRef
      readonly confirmations: number
      /** Base units of the native coin, as really paid (EVM: gasUsed × effectiveGasPrice). */
      readonly fee: bigint
      /** False when an EVM transaction reverted, or a token transfer left no log. */
      readonly succeeded: boolean
      /** Of a token's transfer: base units that its recipient got by the logs, which is less than was sent where the token keeps a fee. */
      readonly arrived?: bigint
    }

/** A broadcast error other than a plain rejection means: unknown, send the same bytes again. */
export type BroadcastOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'already_known' }
  | { readonly kind: 'rejected'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** Factor of each priority on the price that the network asks, in percent. */
export const PRIORITY_PERCENT: Readonly<Record<Priority, bigint>> = {
  low: 80n,
  normal: 100n,
  high: 150n,
  urgent: 200n,
}

interface AdapterBase {
  readonly network: Network
  /** The node's tip. @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) when no endpoint answers. */
  head(): Promise<BlockRef>
  /** Hash of the canonical block at a height, or null above the tip. */
  hashAt(height: number): Promise<string | null>
  /** Unix seconds of the block at a height, from its header alone; null where the node has none (pruned, or above the tip). */
  timeAt(height: number): Promise<number | null>
  /** How many blocks the node knows to be missing while it synchronises; null when it follows the tip. */
  syncing(): Promise<number | null>
  /** Consecutive blocks from `from` up to at most `to`; may return fewer (at least one) to adapt to the node. */
  blocks(from: number, to: number): Promise<Block[]>
  /** Looks at the mempool; transactions in `seen` are not parsed again. */
  mempool(seen: ReadonlySet<string>): Promise<MempoolLook>
  /** Details of matched transfers, in their order; each transaction is asked for once. */
  describe(transfers: readonly Transfer[]): Promise<TransferDetails[]>
  /** Which of the addresses were ever used on the chain; used to fast-forward counters after a restore. */
  used(addresses: readonly string[]): Promise<boolean[]>
  /** Sends raw bytes. Never throws for an answer of the node; see `BroadcastOutcome`. */
  broadcast(signedTransaction: string): Promise<BroadcastOutcome>
  outcome(txid: string): Promise<TransactionOutcome>
  /** What the chain says an address holds now, in base units (confirmed). */
  balance(address: string, coin: string): Promise<bigint>
  /** Checks every node of the network now: whether it serves this chain and can do what is asked of it. */
  inspect(): Promise<NodeReport[]>
  /** Closes connections. */
  close(): Promise<void>
}

/** An unspent output of the merchant that may pay. */
export interface SpendableOutput {
  readonly txid: string
  readonly vout: number
  readonly amount: bigint
  readonly address: string
  /** Full path, e.g. `m/84'/1'/0'/0/7`. */
  readonly path: string
  /** Lower-case hex compressed public key. */
  readonly publicKey: string
  readonly masterFingerprint: string
}

export interface UtxoBuildRequest {
  /** Recipients. Empty for a cancelling transaction, which returns everything as change. */
  readonly outputs: readonly { readonly address: string; readonly amount: bigint }[]
  /** The change address, its path and key. */
  readonly change: Omit<SpendableOutput, 'txid' | 'vout' | 'amount'>
  readonly candidates: readonly SpendableOutput[]
  /** Outpoints that must be spent: the anchor of the conflict set, on every attempt after the first. */
  readonly required: readonly SpendableOutput[]
  readonly feeRate: number
  /** The fee is at least `fee`, and `rate` sat/vB of its own size more: what a replacement must bring (BIP-125, rules 3 and 4). */
  readonly floor?: { readonly fee: bigint; readonly rate: number }
  /** Base units; building fails when the fee would be higher. */
  readonly feeLimit: bigint
  /** What replaces the network's `maxTotal`: a cancelling transaction has a cap of its own. */
  readonly feeCap?: bigint
  /** `recipient`: the fee is taken from the (only) output. */
  readonly feePayer: 'sender' | 'recipient'
}

export type UtxoBuildResult =
  | {
      readonly kind: 'built'
      readonly payload: UtxoPayload
      /** Known before signing on SegWit networks, else null. */
      readonly txid: string | null
      readonly inputs: readonly SpendableOutput[]
      /** What the recipients get together. */
      readonly paid: bigint
      /** Inputs less all outputs. */
      readonly fee: bigint
      readonly change: bigint
      readonly vsize: number
    }
  | { readonly kind: 'insufficient_funds'; readonly missing: bigint }
  /** All candidates together would do, but not as many as one transaction and its payload hold: small ones must be gathered first. */
  | { readonly kind: 'too_many_inputs'; readonly missing: bigint }
  | { readonly kind: 'fee_too_high'; readonly fee: bigint }

export interface UtxoAdapter extends AdapterBase {
  readonly network: UtxoNetwork
  /** sat/vB for a priority, inside the network's minimum and maximum. */
  feeRate(priority: Priority): Promise<number>
  /** Selects coins (branch-and-bound, then with change) and makes the PSBT. Fetches each parent (`nonWitnessUtxo`). */
  build(request: UtxoBuildRequest): Promise<UtxoBuildResult>
  /** Checks a signed transaction field by field against its payload, signatures included. @throws when it differs. */
  verifySigned(
    payload: UtxoPayload,
    signedTransaction: string,
  ): { readonly txid: string; readonly fee: bigint }
}

export interface EvmBuildRequest {
  /** EIP-55 address of the paying wallet and its path. */
  readonly from: string
  readonly derivationPath: string
  readonly coin: string
  readonly to: string
  readonly amount: bigint
  readonly priority: Priority
  readonly feeLimit: bigint
}

export type EvmBuildResult =
  | {
      readonly kind: 'built'
      /** Everything but the nonce, which is allocated when the signer holds the lease. */
      readonly payload: Omit<EvmPayload, 'nonce'>
      /** gas × maxFeePerGas, in wei. */
      readonly maxFee: bigint
      /** The account's next nonce on the chain (latest block), below which nothing is free. */
      readonly chainNonce: number
    }
  | { readonly kind: 'insufficient_funds'; readonly coin: string; readonly missing: bigint }
  | { readonly kind: 'fee_too_high'; readonly fee: bigint }
  /** The transfer would revert (blacklisted recipient, paused token); nothing was signed. */
  | { readonly kind: 'would_revert'; readonly reason: string }

/** Another transaction with the same nonce. */
export interface EvmReplaceRequest {
  /** `cancel`: it has no recipient, and only its own limit counts. */
  readonly purpose: 'pay' | 'cancel'
  readonly from: string
  readonly derivationPath: string
  readonly nonce: number
  /** What is paid again, at another price. Ignored by a cancel. */
  readonly call: Pick<EvmPayload, 'to' | 'value' | 'data' | 'gas'>
  /** The highest prices among the attempts that it replaces; null where there are none. */
  readonly before: { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint } | null
  readonly priority: Priority
  /** The most that gas × maxFeePerGas may be, in wei. */
  readonly feeLimit: bigint
}

export type EvmReplaceResult =
  | { readonly kind: 'built'; readonly payload: EvmPayload; readonly maxFee: bigint }
  /** @param fee - The least that would do, in wei. */
  | { readonly kind: 'fee_too_high'; readonly fee: bigint }

/** What an EVM account has at the end of a block. */
export interface AccountState {
  /** Its next nonce: how many were used. */
  readonly nonce: number
  /** Base units by coin; a token that refuses to say is left out. */
  readonly balances: ReadonlyMap<string, bigint>
}

export interface EvmAdapter extends AdapterBase {
  readonly network: EvmNetwork
  /** Current fees for a priority: base fee × 2 + tip, times the multiplier on the tip, inside the caps. */
  fees(priority: Priority): Promise<{
    readonly maxFeePerGas: bigint
    readonly maxPriorityFeePerGas: bigint
    /** What a transfer of a token pays the parent chain besides, in wei; absent where there is no such fee. */
    readonly l1Fee?: bigint
  }>
  /** Estimates gas (never a constant), sets fees, makes calldata. */
  build(request: EvmBuildRequest): Promise<EvmBuildResult>
  /** Prices a transaction that takes the place of others with its nonce. */
  replace(request: EvmReplaceRequest): Promise<EvmReplaceResult>
  /** Next nonce on the chain (latest block). */
  nonce(address: string): Promise<number>
  /** Next nonce at the end of a block; null where no node has that block in its chain, or knows what was there. */
  nonceAt(address: string, block: BlockRef): Promise<number | null>
  /** Nonce and balances at the end of a block; null where `nonceAt` is. */
  accountAt(address: string, coins: readonly string[], block: BlockRef): Promise<AccountState | null>
  verifySigned(payload: EvmPayload, signedTransaction: string): { readonly txid: string }
}

export type ChainAdapter = UtxoAdapter | EvmAdapter

/** One function for each family; each receives the adapter of its own family. */
type AdapterCases<Results> = {
  readonly [Name in keyof Results]: (
    adapter: Extract<ChainAdapter, { readonly network: { readonly family: Name } }>,
  ) => Results[Name]
}

/** Runs the case of the adapter's family, as `byFamily` does for networks, and returns its result. */
export function byAdapterFamily<Results extends Readonly<Record<Family, unknown>>>(
  adapter: ChainAdapter,
  cases: AdapterCases<Results>,
): Results[Family] {
  const run = cases[adapter.network.family] as (adapter: ChainAdapter) => Results[Family]
  return run(adapter)
}
