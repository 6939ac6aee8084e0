/**
 * What the customer's signer and the platform say to each other under `/signer/v1`; see docs/signer-protocol.md.
 * The signer only dials out. Its requests carry `X-Signer-Id`, `X-Timestamp`, `X-Nonce` and `X-Signature` (base64 Ed25519
 * of `requestMessage`, by its identity key); the platform's answers carry `X-Platform-Signature` (base64 Ed25519 of
 * `"keyturn-platform-v1\n" + X-Nonce of the request + "\n" + raw body`, by the key pinned at enrolment).
 *
 * Bodies are JSON in the envelope of the public API: `{"success": true, "data": EnrolResponse | ClaimResponse |
 * AnswerResponse}` (201 for an enrolment, 200 otherwise; the same identity enrolling again with its token gets 200), errors
 * `{"success": false, "error": {code, message, details, request_id}}`: 401 `INVALID_SIGNATURE`, `TIMESTAMP_OUT_OF_RANGE`,
 * `NONCE_REUSED`; 422 `INVALID_ENROLMENT` with `details.reason`; 404 and 409 `INVALID_STATE` for an answer that came too
 * late. An enrolment has no `X-Signer-Id`; it is signed by the identity key in its body.
 *
 * Where the recipient pays the fee: on UTXO networks the output is the intent's amount less the fee exactly (less what of the fee is
 * a surplus of coins without change); on EVM networks
 * `value` is the intent's amount less `gas × max_fee_per_gas` exactly.
 */

import type { Approval } from '../controls/approval.js'
import type { Intent } from '../controls/intent.js'

/** What each BIP-44 account of a network is for. Deposits, change and treasury stay apart. */
export const KEY_ROLES = ['deposit', 'master', 'hot', 'gas'] as const
export type KeyRole = (typeof KEY_ROLES)[number]

/** The account index of each role: `m/purpose'/coin_type'/<index>'`; branch 0 receives, branch 1 of `master` takes change. */
export const ROLE_ACCOUNT: Readonly<Record<KeyRole, number>> = { deposit: 0, master: 1, hot: 2, gas: 3 }

/** The most bytes of one answer of the platform; a signer reads no further. */
export const MAX_ANSWER_BYTES = 16 * 1_048_576
/** The most bytes of one request within a claim, as JSON without white space; a larger one is refused as MALFORMED. */
export const MAX_REQUEST_BYTES = 4 * 1_048_576
/** The most outputs of an intent, and items of a request. */
export const MAX_OUTPUTS = 1_000
/** The most inputs of a payload, each of which is signed; the platform's own builder takes 250. */
export const MAX_PAYLOAD_INPUTS = 300

/** An extended public key with the proof that its holder knows the private key. */
export interface XpubReport {
  readonly network: string
  readonly role: KeyRole
  /** For example `m/84'/1'/0'`. */
  readonly path: string
  readonly xpub: string
  /** Lower-case hex master fingerprint (BIP-32), for PSBT key origins. */
  readonly master_fingerprint: string
  /** Base64 compact (64-byte) ECDSA signature by the xpub's own key of SHA-256 of `xpubProofMessage`. */
  readonly proof: string
}

/** The text whose SHA-256 the xpub's key signs: binds key, path, network and the enrolling identity. */
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

/** What the addresses of a network look like that a signer can spend from; `prefix` is that of bech32 or of CashAddr. */
export type SpendableAddresses =
  | { readonly form: 'evm' }
  | { readonly form: 'p2wpkh' | 'cashaddr'; readonly prefix: string }

/** What `keyturn-signer export-xpubs` prints of a key: with it a client accepts exactly the addresses that the signer can spend from. */
export interface ExportedXpub extends Omit<XpubReport, 'proof' | 'master_fingerprint'> {
  readonly master_fingerprint?: string
  /** The highest index below it that the signer's policy lets pay. */
  readonly max_index?: number
  /** Null where the signer's policy lists no such network: it spends nothing there. */
  readonly addresses?: SpendableAddresses | null
}

/** `POST /signer/v1/enrol` — unauthenticated but for the one-time token and the identity's signature of the body. */
export interface EnrolRequest {
  readonly token: string
  /** Base64 raw 32-byte Ed25519 public key. */
  readonly identity_public_key: string
  readonly name: string
  readonly version: string
  readonly xpubs: readonly XpubReport[]
  /** Hash of the journal's head (64 hex zeros when empty). */
  readonly journal_head: string
  readonly journal_sequence: number
}

export interface EnrolResponse {
  readonly signer_id: string
  readonly merchant_id: string
  /** Base64 raw 32-byte Ed25519 key with which the platform signs what it sends; pinned from now on. */
  readonly platform_public_key: string
  readonly wallets: readonly {
    readonly network: string
    readonly kind: 'master' | 'hot' | 'gas'
    readonly address: string
  }[]
}

/** What to sign on a UTXO network: a PSBT v0 in base64 (`nonWitnessUtxo` on each input, BIP-32 origins on inputs and change). */
export interface UtxoPayload {
  readonly family: 'utxo'
  readonly network: string
  readonly psbt: string
}

/** What to sign on an EVM network: every field of an EIP-1559 transaction; integers as decimal strings. */
export interface EvmPayload {
  readonly family: 'evm'
  readonly network: string
  readonly chain_id: number
  /** EIP-55 address of the paying wallet and its path. */
  readonly from: string
  readonly derivation_path: string
  readonly to: string
  readonly value: string
  /** `0x` for native transfers, else the ERC-20 `transfer` call. */
  readonly data: string
  readonly nonce: number
  readonly gas: string
  readonly max_fee_per_gas: string
  readonly max_priority_fee_per_gas: string
}

export type Payload = UtxoPayload | EvmPayload

/** One thing to sign, as `claim` hands it out under a lease. */
export interface SigningRequest {
  readonly id: string
  /** Each attempt of an intent has another payload, inside one conflict set. */
  readonly attempt: number
  /** `cancel`: the payload pays nobody and takes the place of what was signed for the intent, so it needs no approvals. */
  readonly purpose: 'pay' | 'cancel'
  readonly intent: Intent
  readonly intent_hash: string
  readonly approvals: readonly Approval[]
  /** Which outputs of a batch's intent this payload pays, ascending; null pays all of them, as every other kind does. */
  readonly items: readonly number[] | null
  /** Where the destination of a movement between own wallets lies (`m/44'/60'/1'/0/0`); a hint, derived again. Payments have none. */
  readonly destination_path?: string
  readonly payload: Payload
  /** ISO 8601 UTC. */
  readonly lease_until: string
}

/** `POST /signer/v1/claim` {journal_head, journal_sequence, wait_seconds} long-polls up to `wait_seconds` (at most 25). */
export interface ClaimRequest {
  readonly journal_head: string
  readonly journal_sequence: number
  readonly wait_seconds: number
  /** Why it signs nothing at the moment: it is only seen, and gets no requests. Absent while it works. */
  readonly stopped?: SignerStop
}

/** What stops a signer as a whole, until its operator ends it: the kill switch, its journal, a policy that cannot be read. */
export const SIGNER_STOPS = ['paused', 'journal_stale', 'policy_unreadable'] as const
export type SignerStop = (typeof SIGNER_STOPS)[number]

export interface ClaimResponse {
  /** What the platform last saw of this signer's journal; a signer whose own journal is behind it locks itself. */
  readonly known_journal: { readonly head: string; readonly sequence: number }
  readonly requests: readonly SigningRequest[]
}

/** Why a signer refused; machine-readable, shown on the withdrawal. */
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

/** Refusals that say nothing of the request: its signer is stopped, and the same request may be signed once that is over. */
export const PASSING_REFUSALS: ReadonlySet<RefusalCode> = new Set(['PAUSED', 'JOURNAL_STALE'])

/** `POST /signer/v1/answers` — the signer's last word on a request. At-least-once: the same request gets the same bytes. */
export type SigningAnswer =
  | {
      readonly request_id: string
      readonly outcome: 'signed'
      /** Raw transaction, lower-case hex (no 0x on UTXO networks, with 0x on EVM). */
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

/** `POST /signer/v1/answers` once it is stored. */
export interface AnswerResponse {
  readonly request_id: string
  /** True when the same answer had been stored before. */
  readonly replayed: boolean
}
