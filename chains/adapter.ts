/**
 * Defines the one interface behind which every chain family stands. Adapters hold no state but their RPC
 * connections.
 */

import type { Family } from '../domain/chain/by-family.js'
import type { EvmNetwork, Network, UtxoNetwork } from '../domain/chain/network.js'
import type { Priority } from '../domain/payouts/priority.js'
import type { EvmPayload, UtxoPayload } from '../domain/signing/signer-protocol.js'
import type { NodeReport } from './node-report.js'

export interface BlockRef {
  readonly height: number
  readonly hash: string
}

/** Transfer to one recipient: an output (UTXO) or a native, internal or token transfer (EVM). */
export interface Transfer {
  readonly txid: string
  /** Output index, or the ordinal of the transfer in its transaction (see `deposits.output_index`). */
  readonly index: number
  /**
   * Lower-case hex of the payee's 20 bytes: HASH160 of the key (P2WPKH, P2PKH) or the EVM address. No other
   * payee can be own.
   */
  readonly payee: string
  readonly coin: string
  /** Amount in base units. For tokens it is the amount of the log, not the requested one. */
  readonly amount: bigint
  readonly coinbase?: boolean
  /** Origin, on EVM networks, where the payer is known without a further request. */
  readonly origin?: TransferOrigin
}

/** Payer of an EVM transfer, and the fee of its transaction. */
export interface TransferOrigin {
  /** Payer, as 0x and 40 lower-case hex digits. */
  readonly payer: string
  /**
   * Fee of the transaction in base units of the native coin. `null` while it is in no block, or if the
   * receipt lacks it.
   */
  readonly fee: bigint | null
}

/**
 * What a transaction uses up, so that of two with the same only one can be mined: an outpoint (UTXO), or the
 * sender's address in lower case and the nonce (EVM, where blocks do not list them).
 */
export interface Spend {
  readonly txid: string
  readonly prevTxid: string
  readonly prevVout: number
}

/**
 * Transfer by the chain itself, in its native coin: it has no sender, and no transaction holds it (EIP-4895).
 */
export interface Grant {
  /** Payee, as in `Transfer`. */
  readonly payee: string
  /** Amount in base units. */
  readonly amount: bigint
  /** Index of the withdrawal, which a chain never uses twice. */
  readonly reference: string
}

export interface Block extends BlockRef {
  readonly parentHash: string
  /** Time of the block in Unix seconds. */
  readonly time: number
  readonly transfers: readonly Transfer[]
  readonly spends: readonly Spend[]
  /** Ids of all its transactions. */
  readonly txids: readonly string[]
  /** Validators' withdrawals, on EVM networks that have them. */
  readonly grants?: readonly Grant[]
  /** Whether no node has its traces any more (EVM), so that transfers by contracts in it are missing. */
  readonly untraced?: boolean
  /** Cost of each transaction for its sender (EVM), whether or not it succeeded. */
  readonly charges?: readonly Charge[]
}

/**
 * Cost of a transaction for its sender: the network fee in base units of the native coin. 0 if it was free;
 * it used a nonce all the same.
 */
export interface Charge {
  readonly txid: string
  /** Payer, as `Transfer.payee`. */
  readonly payer: string
  readonly amount: bigint
}

/** Transactions that are new in the mempool since the last poll. */
export interface MempoolLook {
  /**
   * Ids of all transactions in it. A detected one that is neither here nor mined was dropped or replaced.
   */
  readonly txids: ReadonlySet<string>
  readonly transfers: readonly Transfer[]
  readonly spends: readonly Spend[]
}

/** Details of a matched transfer: amounts in base units, addresses in the network's own form. */
export interface TransferDetails {
  readonly sources: readonly { readonly address: string; readonly amount: bigint }[]
  readonly destinations: readonly { readonly address: string; readonly amount: bigint }[]
  /** Network fee of the transaction in base units of the native coin. `null` while unknown. */
  readonly fee: bigint | null
  /** Spends of the transaction, so that conflicts are noticed. */
  readonly spends: readonly Spend[]
}

/** Outcome of an own transaction. */
export type TransactionOutcome =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'mempool' }
  | {
      readonly kind: 'mined'
      readonly block: BlockRef
      readonly confirmations: number
      /** Fee in base units of the native coin, as really paid (EVM: gasUsed × effectiveGasPrice). */
      readonly fee: bigint
      /** Whether it succeeded. False if an EVM transaction reverted, or a token transfer left no log. */
      readonly succeeded: boolean
      /**
       * Base units that the recipient of a token received by the logs. A token that keeps a fee gives less
       * than was sent.
       */
      readonly arrived?: bigint
    }

/**
 * Outcome of a broadcast. Any error but a plain rejection means `unknown`: the same bytes are sent again.
 */
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
  /**
   * Returns the node's tip. @throws KeyturnError `DEPENDENCY_UNAVAILABLE` (retryable) if no endpoint answers.
   */
  head(): Promise<BlockRef>
  /** Returns the hash of the canonical block at a height. `null` above the tip. */
  hashAt(height: number): Promise<string | null>
  /**
   * Returns the Unix seconds of the block at a height, from its header alone. `null` if the node has none
   * (pruned, or above the tip).
   */
  timeAt(height: number): Promise<number | null>
  /**
   * Returns how many blocks the node knows to be missing while it synchronises. `null` when it follows the
   * tip.
   */
  syncing(): Promise<number | null>
  /**
   * Returns consecutive blocks from `from` up to at most `to`. It may return fewer (at least one) to adapt to
   * the node.
   */
  blocks(from: number, to: number): Promise<Block[]>
  /** Polls the mempool. Transactions in `seen` are not parsed again. */
  mempool(seen: ReadonlySet<string>): Promise<MempoolLook>
  /** Returns details of matched transfers, in their order. Each transaction is requested once. */
  describe(transfers: readonly Transfer[]): Promise<TransferDetails[]>
  /**
   * Returns which of the addresses were ever used on the chain, to move counters forward after a restore.
   */
  used(addresses: readonly string[]): Promise<boolean[]>
  /** Sends raw bytes. It never throws for an answer of the node; see `BroadcastOutcome`. */
  broadcast(signedTransaction: string): Promise<BroadcastOutcome>
  outcome(txid: string): Promise<TransactionOutcome>
  /** Returns what an address holds on the chain now, in base units (confirmed). */
  balance(address: string, coin: string): Promise<bigint>
  /** Checks every node of the network now: whether it serves this chain and can do what is needed. */
  inspect(): Promise<NodeReport[]>
  /** Closes connections. */
  close(): Promise<void>
}

/** Unspent output of the merchant that may pay. */
export interface SpendableOutput {
  readonly txid: string
  readonly vout: number
  readonly amount: bigint
  readonly address: string
  /** Full path, such as `m/84'/1'/0'/0/7`. */
  readonly path: string
  /** Compressed public key in lower-case hex. */
  readonly publicKey: string
  readonly masterFingerprint: string
}

export interface UtxoBuildRequest {
  /** Recipients. Empty for a cancelling transaction, which returns everything as change. */
  readonly outputs: readonly { readonly address: string; readonly amount: bigint }[]
  /** Address of the change, with its path and key. */
  readonly change: Omit<SpendableOutput, 'txid' | 'vout' | 'amount'>
  readonly candidates: readonly SpendableOutput[]
  /** Outpoints that must be spent: the anchor of the conflict set, on every attempt after the first. */
  readonly required: readonly SpendableOutput[]
  readonly feeRate: number
  /**
   * Floor of the fee: `fee`, and `rate` sat/vB of its own size on top, as a replacement must pay (BIP-125,
   * rules 3 and 4).
   */
  readonly floor?: { readonly fee: bigint; readonly rate: number }
  /** Highest fee in base units. Building fails if the fee would be higher. */
  readonly feeLimit: bigint
  /** Overrides the network's `maxTotal`. Cancelling transactions have their own cap. */
  readonly feeCap?: bigint
  /** Payer of the fee. `recipient`: the fee is taken from the only output. */
  readonly feePayer: 'sender' | 'recipient'
}

export type UtxoBuildResult =
  | {
      readonly kind: 'built'
      readonly payload: UtxoPayload
      /** Transaction id. `null` before signing on networks without SegWit. */
      readonly txid: string | null
      readonly inputs: readonly SpendableOutput[]
      /** Sum of what the recipients get. */
      readonly paid: bigint
      /** Fee: inputs less all outputs. */
      readonly fee: bigint
      readonly change: bigint
      readonly vsize: number
    }
  | { readonly kind: 'insufficient_funds'; readonly missing: bigint }
  /**
   * All candidates together would suffice, but not as many as one transaction holds. Small ones must be
   * consolidated first.
   */
  | { readonly kind: 'too_many_inputs'; readonly missing: bigint }
  | { readonly kind: 'fee_too_high'; readonly fee: bigint }

export interface UtxoAdapter extends AdapterBase {
  readonly network: UtxoNetwork
  /** Returns sat/vB for a priority, inside the network's minimum and maximum. */
  feeRate(priority: Priority): Promise<number>
  /**
   * Selects coins (branch-and-bound, then with change) and makes the PSBT. It fetches each parent
   * (`nonWitnessUtxo`).
   */
  build(request: UtxoBuildRequest): Promise<UtxoBuildResult>
  /**
   * Compares a signed transaction with its payload field by field, signatures included. @throws KeyturnError
   * if it differs.
   */
  verifySigned(
    payload: UtxoPayload,
    signedTransaction: string,
  ): { readonly txid: string; readonly fee: bigint }
}

export interface EvmBuildRequest {
  /** EIP-55 address of the paying wallet. Its path is `path`. */
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
      /** Payload without the nonce, which is allocated when the signer takes the lease. */
      readonly payload: Omit<EvmPayload, 'nonce'>
      /** Highest fee: gas × maxFeePerGas, in wei. */
      readonly maxFee: bigint
      /** Account's next nonce on the chain (latest block), below which none is free. */
      readonly chainNonce: number
    }
  | { readonly kind: 'insufficient_funds'; readonly coin: string; readonly missing: bigint }
  | { readonly kind: 'fee_too_high'; readonly fee: bigint }
  /** The transfer would revert (blacklisted recipient, paused token). Nothing was signed. */
  | { readonly kind: 'would_revert'; readonly reason: string }

/** Request for another transaction with the same nonce. */
export interface EvmReplaceRequest {
  /** Purpose. `cancel` has no recipient, and only its own limit counts. */
  readonly purpose: 'pay' | 'cancel'
  readonly from: string
  readonly derivationPath: string
  readonly nonce: number
  /** Call to repeat at another price. A cancel ignores it. */
  readonly call: Pick<EvmPayload, 'to' | 'value' | 'data' | 'gas'>
  /** Highest prices among the replaced attempts. `null` without any. */
  readonly before: { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint } | null
  readonly priority: Priority
  /** Highest gas × maxFeePerGas, in wei. */
  readonly feeLimit: bigint
}

export type EvmReplaceResult =
  | { readonly kind: 'built'; readonly payload: EvmPayload; readonly maxFee: bigint }
  /** The fee is above the limit. @param fee - Least fee that would suffice, in wei. */
  | { readonly kind: 'fee_too_high'; readonly fee: bigint }

/** State of an EVM account at the end of a block. */
export interface AccountState {
  /** Next nonce, which is the number of used ones. */
  readonly nonce: number
  /** Base units by coin. A token that refuses to say its balance is left out. */
  readonly balances: ReadonlyMap<string, bigint>
}

export interface EvmAdapter extends AdapterBase {
  readonly network: EvmNetwork
  /**
   * Returns current fees for a priority: base fee × 2 + tip, times the multiplier on the tip, inside the
   * caps.
   */
  fees(priority: Priority): Promise<{
    readonly maxFeePerGas: bigint
    readonly maxPriorityFeePerGas: bigint
    /** Fee of a token transfer for the parent chain, in wei. Absent without such a fee. */
    readonly l1Fee?: bigint
  }>
  /** Estimates gas (never a constant), chooses fees, and makes the calldata. */
  build(request: EvmBuildRequest): Promise<EvmBuildResult>
  /** Prices a transaction that replaces others with its nonce. */
  replace(request: EvmReplaceRequest): Promise<EvmReplaceResult>
  /** Returns the next nonce on the chain (latest block). */
  nonce(address: string): Promise<number>
  /**
   * Returns the next nonce at the end of a block. `null` if no node has that block in its chain with its
   * state.
   */
  nonceAt(address: string, block: BlockRef): Promise<number | null>
  /** Returns nonce and balances at the end of a block. `null` where `nonceAt` is. */
  accountAt(address: string, coins: readonly string[], block: BlockRef): Promise<AccountState | null>
  verifySigned(payload: EvmPayload, signedTransaction: string): { readonly txid: string }
}

export type ChainAdapter = UtxoAdapter | EvmAdapter

/** One function for each family, which receives the adapter of its own family. */
type AdapterCases<Results> = {
  readonly [Name in keyof Results]: (
    adapter: Extract<ChainAdapter, { readonly network: { readonly family: Name } }>,
  ) => Results[Name]
}

/** Runs the case of the adapter's family and returns its result, as `byFamily` does for networks. */
export function byAdapterFamily<Results extends Readonly<Record<Family, unknown>>>(
  adapter: ChainAdapter,
  cases: AdapterCases<Results>,
): Results[Family] {
  const run = cases[adapter.network.family] as (adapter: ChainAdapter) => Results[Family]
  return run(adapter)
}
