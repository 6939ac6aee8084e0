/**
 * Defines the messages between the customer's signer and the platform under `/signer/v1`; see
 * docs/signer-protocol.md.
 *
 * The signer only dials out. Its requests carry `X-Signer-Id`, `X-Timestamp`, `X-Nonce` and `X-Signature`
 * (base64 Ed25519 of `requestMessage`, by its identity key). The platform's answers carry
 * `X-Platform-Signature` (base64 Ed25519 of `"keyturn-platform-v1\n" + X-Nonce of the request + "\n" + raw
 * body`, by the key pinned at enrolment).
 *
 * Bodies are JSON in the envelope of the public API: `{"success": true, "data": EnrolResponse | ClaimResponse
 * | AnswerResponse}`, with 201 for an enrolment and 200 otherwise. The same identity that enrols again with
 * its token gets 200. Errors are `{"success": false, "error": {code, message, details, request_id}}`: 401
 * `INVALID_SIGNATURE`, `TIMESTAMP_OUT_OF_RANGE`, `NONCE_REUSED`; 422 `INVALID_ENROLMENT` with
 * `details.reason`; 404 and 409 `INVALID_STATE` for an answer that came too late. An enrolment has no
 * `X-Signer-Id`; the identity key in its body signs it.
 *
 * If the recipient pays the fee: on UTXO networks the output is exactly the intent's amount less the fee
 * (less the part of the fee that is a surplus of coins without change). On EVM networks `value` is exactly
 * the intent's amount less `gas × max_fee_per_gas`.
 */

import type { Approval } from '../controls/approval.js'
import type { Intent } from '../controls/intent.js'

/** Purposes of a network's BIP-44 accounts. Deposits, change and treasury stay apart. */
export const KEY_ROLES = ['deposit', 'master', 'hot', 'gas'] as const
export type KeyRole = (typeof KEY_ROLES)[number]

/**
 * Account index of each role: `m/purpose'/coin_type'/<index>'`. Branch 0 receives, branch 1 of `master` takes
 * change.
 */
export const ROLE_ACCOUNT: Readonly<Record<KeyRole, number>> = { deposit: 0, master: 1, hot: 2, gas: 3 }

/** Most bytes of one answer of the platform. A signer reads no further. */
export const MAX_ANSWER_BYTES = 16 * 1_048_576
/**
 * Most bytes of one request within a claim, as JSON without white space. A larger one is refused as
 * MALFORMED.
 */
export const MAX_REQUEST_BYTES = 4 * 1_048_576
/** Most outputs of an intent, and items of a request. */
export const MAX_OUTPUTS = 1_000
/** Most inputs of a payload, each of which is signed. The platform's own builder takes 250. */
export const MAX_PAYLOAD_INPUTS = 300

/** Extended public key with the proof that its holder knows the private key. */
export interface XpubReport {
  readonly network: string
  readonly role: KeyRole
  /** Path, such as `m/84'/1'/0'`. */
  readonly path: string
  readonly xpub: string
  /** Lower-case hex master fingerprint (BIP-32), for the key origins of PSBTs. */
  readonly master_fingerprint: string
  /** Base64 compact (64-byte) ECDSA signature by the xpub's own key of SHA-256 of `xpubProofMessage`. */
  readonly proof: string
}

/**
 * Returns the text whose SHA-256 the xpub's key signs. It binds key, path, network and the enrolling
 * identity.
 */
export function xpubProofMessage(
  report: Pick<XpubReport, 'network' | 'role' | 'path' | 'xpub' | 'master_fingerprint'>,
  identityPublicKey: string,
): string {
  return [
    'keyturn-xpub-v1',
    identityPublicKey,
    report.network,
    report.role,
    report.path,
    report.xpub,
    report.master_fingerprint,
  ].join('\n')
}

/**
 * Form of the addresses of a network that a signer can spend from. `prefix` is that of bech32 or of CashAddr.
 */
export type SpendableAddresses =
  | { readonly form: 'evm' }
  | { readonly form: 'p2wpkh' | 'cashaddr'; readonly prefix: string }

/**
 * Output of `keyturn-signer export-xpubs` for a key. With it a client accepts exactly the addresses that the
 * signer can spend from.
 */
export interface ExportedXpub extends Omit<XpubReport, 'proof' | 'master_fingerprint'> {
  readonly master_fingerprint?: string
  /** Highest index below it from which the signer's policy lets the wallet pay. */
  readonly max_index?: number
  /**
   * Form of its addresses. `null` if the signer's policy has no such network, so that it spends nothing
   * there.
   */
  readonly addresses?: SpendableAddresses | null
}

/**
 * Body of `POST /signer/v1/enrol`. It is authenticated by the one-time token and the identity's signature
 * alone.
 */
export interface EnrolRequest {
  readonly token: string
  /** Base64 of the raw 32-byte Ed25519 public key. */
  readonly identity_public_key: string
  readonly name: string
  readonly version: string
  readonly xpubs: readonly XpubReport[]
  /** Hash of the journal's head (64 hex zeros if empty). */
  readonly journal_head: string
  readonly journal_sequence: number
}

export interface EnrolResponse {
  readonly signer_id: string
  readonly merchant_id: string
  /**
   * Base64 of the raw 32-byte Ed25519 key with which the platform signs what it sends. The signer pins it.
   */
  readonly platform_public_key: string
  readonly wallets: readonly {
    readonly network: string
    readonly kind: 'master' | 'hot' | 'gas'
    readonly address: string
  }[]
}

/**
 * Payload of a UTXO network: a PSBT v0 in base64 (`nonWitnessUtxo` on each input, BIP-32 origins on inputs
 * and change).
 */
export interface UtxoPayload {
  readonly family: 'utxo'
  readonly network: string
  readonly psbt: string
}

/** Payload of an EVM network: every field of an EIP-1559 transaction. Integers are decimal strings. */
export interface EvmPayload {
  readonly family: 'evm'
  readonly network: string
  readonly chain_id: number
  /** EIP-55 address of the paying wallet. Its path is `derivation_path`. */
  readonly from: string
  readonly derivation_path: string
  readonly to: string
  readonly value: string
  /** Call data: `0x` for native transfers, else the ERC-20 `transfer` call. */
  readonly data: string
  readonly nonce: number
  readonly gas: string
  readonly max_fee_per_gas: string
  readonly max_priority_fee_per_gas: string
}

export type Payload = UtxoPayload | EvmPayload

/** Request to sign, as `claim` hands it out under a lease. */
export interface SigningRequest {
  readonly id: string
  /** Number of the attempt. Each attempt of an intent has another payload inside one conflict set. */
  readonly attempt: number
  /**
   * Purpose. The payload of `cancel` pays no recipient and replaces what was signed for the intent, so it
   * needs no approvals.
   */
  readonly purpose: 'pay' | 'cancel'
  readonly intent: Intent
  readonly intent_hash: string
  readonly approvals: readonly Approval[]
  /**
   * Indices of the outputs of a batch's intent that this payload pays, ascending. `null` pays all, as for
   * every other kind.
   */
  readonly items: readonly number[] | null
  /**
   * Path of a movement's destination (`m/44'/60'/1'/0/0`). A hint that the signer derives again. Withdrawals
   * have none.
   */
  readonly destination_path?: string
  readonly payload: Payload
  /** End of the lease, ISO 8601 UTC. */
  readonly lease_until: string
  /**
   * Id of the run that the request is part of: requests of one EVM account with ascending nonces, which the
   * signer decides in their order and stops at its first refusal. Absent outside of runs.
   */
  readonly run?: string
}

/** Most requests of one run: an account has at most so many transactions in flight. */
export const MOST_IN_RUN = 16
/** Most answers of one request to `POST /signer/v1/answers`. */
export const MOST_ANSWERS = 32

/** Body of `POST /signer/v1/claim`, which long-polls up to `wait_seconds` (at most 25). */
export interface ClaimRequest {
  readonly journal_head: string
  readonly journal_sequence: number
  readonly wait_seconds: number
  /**
   * Reason why it signs nothing at present. It is then only seen, and gets no requests. Absent while it
   * works.
   */
  readonly stopped?: SignerStop
  /**
   * Whether the signer understands runs, and posts several answers together. Sent only to a platform that
   * offered it, because an older one refuses the field.
   */
  readonly runs?: true
}

/**
 * Reasons that stop a signer as a whole until its operator ends them: kill switch, journal, unreadable
 * policy.
 */
export const SIGNER_STOPS = ['paused', 'journal_stale', 'policy_unreadable'] as const
export type SignerStop = (typeof SIGNER_STOPS)[number]

export interface ClaimResponse {
  /**
   * What the platform last saw of this signer's journal. A signer whose own journal is behind it locks
   * itself.
   */
  readonly known_journal: { readonly head: string; readonly sequence: number }
  readonly requests: readonly SigningRequest[]
  /** Offers runs, and answers that are posted together. Absent from older platforms. */
  readonly runs?: true
}

/** Machine-readable reasons of a refusal, shown on the withdrawal. */
export const REFUSAL_CODES = [
  'MALFORMED',
  'KIND_NOT_ALLOWED',
  'MERCHANT_MISMATCH',
  'SIGNER_MISMATCH',
  'NETWORK_NOT_ALLOWED',
  'CHAIN_MISMATCH',
  'ASSET_MISMATCH',
  'RECIPIENT_MISMATCH',
  'AMOUNT_MISMATCH',
  'OUTPUT_NOT_ALLOWED',
  'CHANGE_NOT_MINE',
  'UNKNOWN_INPUT',
  'SIGHASH_NOT_ALLOWED',
  'SIGNATURE_PRESENT',
  'CALLDATA_NOT_ALLOWED',
  'TRANSACTION_TYPE_NOT_ALLOWED',
  'FEE_TOO_HIGH',
  'POLICY_LIMIT',
  'NOT_WHITELISTED',
  'APPROVAL_INVALID',
  'APPROVAL_STALE',
  'APPROVER_UNKNOWN',
  'QUORUM_NOT_MET',
  'INITIATOR_APPROVED',
  'REJECTED',
  'INTENT_HASH_MISMATCH',
  'INTENT_EXPIRED',
  'INTENT_NOT_YET_VALID',
  'CONFLICT_SET',
  'NONCE_CONFLICT',
  'JOURNAL_STALE',
  'PAUSED',
] as const
export type RefusalCode = (typeof REFUSAL_CODES)[number]

/**
 * Refusals that do not concern the request: its signer is stopped, and may sign the same request once that is
 * over.
 */
export const PASSING_REFUSALS: ReadonlySet<RefusalCode> = new Set(['PAUSED', 'JOURNAL_STALE'])

/** Body of `POST /signer/v1/answers`, delivered at least once. The same request gets the same bytes. */
export type SigningAnswer =
  | {
      readonly request_id: string
      readonly outcome: 'signed'
      /** Raw transaction in lower-case hex, without 0x on UTXO networks, with 0x on EVM. */
      readonly signed_transaction: string
      readonly transaction_hash: string
      readonly journal_head: string
      readonly journal_sequence: number
    }
  | {
      readonly request_id: string
      readonly outcome: 'refused'
      readonly code: RefusalCode
      readonly message: string
      readonly journal_head: string
      readonly journal_sequence: number
    }

/** An answer without the position of the journal, as it is posted together with others. */
export type PlainAnswer = WithoutPosition<SigningAnswer>
type WithoutPosition<T> = T extends unknown ? Omit<T, 'journal_head' | 'journal_sequence'> : never

/**
 * Gives a request of a run back. The signer has decided nothing about its payload, and will sign that payload
 * only after it claims it again.
 */
export interface GivenBack {
  readonly request_id: string
  readonly outcome: 'undecided'
  /** Run in which the request came. One that was handed out again since is not meant. */
  readonly run: string
}

/** Body of `POST /signer/v1/answers` with several answers, which the platform stores together, in their order. */
export interface SigningAnswers {
  readonly answers: readonly (PlainAnswer | GivenBack)[]
  readonly journal_head: string
  readonly journal_sequence: number
}

/** Answer to `SigningAnswers`: a verdict about each, in their order. */
export interface AnswersResponse {
  readonly answers: readonly AnswerVerdict[]
}

/** What became of one of several answers: stored, or the error that it would have got alone. */
export type AnswerVerdict =
  | AnswerResponse
  | { readonly request_id: string; readonly error: { readonly code: string; readonly message: string } }

/** Answer of `POST /signer/v1/answers` once the platform has stored it. */
export interface AnswerResponse {
  readonly request_id: string
  /** Whether the same answer had been stored before. */
  readonly replayed: boolean
}
