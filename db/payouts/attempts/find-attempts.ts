/** Reads the attempts of a payout, with the signer's request for each. */

import type { Priority } from '../../../domain/payouts/priority.js'
import type {
  EvmPayload,
  SignerStop,
  SigningAnswer,
  UtxoPayload,
} from '../../../domain/signing/signer-protocol.js'
import type { Queryable } from '../../connect.js'

/**
 * An attempt. All attempts of a payout share a nonce or the first one's inputs, so at most one is ever mined.
 */
export interface AttemptRow {
  readonly id: string
  readonly number: number
  readonly network: string
  readonly from_address_id: string | null
  readonly nonce: bigint | null
  readonly purpose: 'pay' | 'cancel'
  readonly cause: 'first' | 'speed_up' | 'lagging' | 'cancel'
  readonly priority: Priority
  readonly state: 'built' | 'signed' | 'broadcast' | 'mined' | 'final' | 'replaced' | 'abandoned'
  /**
   * Payload, with its nonce once a signer has claimed it. A PSBT can have megabytes, so only `readPayload`
   * reads it.
   */
  readonly payload: Omit<UtxoPayload, 'psbt'> | EvmPayload
  readonly coin: string
  readonly amount: bigint
  readonly max_fee: bigint
  readonly vsize: number | null
  readonly inputs: readonly {
    readonly address_id: string
    readonly txid: string
    readonly vout: number
    /** Amount in base units. */
    readonly amount: string
  }[]
  readonly signed_transaction: string | null
  readonly txid: string | null
  /** Hash of the block that has it, if the scanned chain has that block. `null` otherwise. */
  readonly scanned_in: string | null
  readonly conflict_height: bigint | null
  readonly created_at: Date
  readonly broadcast_at: Date | null
  readonly request_id: string
  readonly request_state: 'queued' | 'leased' | 'signed' | 'refused' | 'withdrawn'
  readonly request_created_at: Date
  readonly answer: SigningAnswer | null
  readonly answered_at: Date | null
  readonly signer_id: string
  readonly signer_name: string
  readonly signer_online: boolean
  readonly signer_seen_at: Date | null
  /** Reason why the signer signs nothing at the moment, as it reported. `null` while it works. */
  readonly signer_stopped: { readonly reason: SignerStop; readonly since: string } | null
  /** Reason for which a signer last returned the request unexamined. */
  readonly postponed: { readonly code: string; readonly message: string; readonly at: string } | null
  /** Time since when its signer's silence keeps no other attempt waiting. `null` while it does. */
  readonly passed_at: Date | null
}

/** A signed attempt: its bytes may be mined, and the platform cannot prevent it. */
export type SignedAttempt = AttemptRow & { readonly signed_transaction: string; readonly txid: string }

/** Returns the newest attempt that was not abandoned, or `null`. */
export async function findAttempt(sql: Queryable, payoutId: string): Promise<AttemptRow | null> {
  const [row] = await sql<AttemptRow[]>`
    ${selectAttempts(sql)}
    WHERE attempt.payout_id = ${payoutId} AND attempt.state <> 'abandoned'
    ORDER BY attempt.number DESC LIMIT 1`
  return row ?? null
}

/** Lists every attempt of a payout, newest first, including abandoned ones. */
export async function listAttempts(sql: Queryable, payoutId: string): Promise<AttemptRow[]> {
  return sql<AttemptRow[]>`
    ${selectAttempts(sql)} WHERE attempt.payout_id = ${payoutId} ORDER BY attempt.number DESC`
}

/** Lists attempts of other payouts that a signer may have signed with a nonce of an EVM account. */
export async function listRivals(
  sql: Queryable,
  nonce: { readonly fromAddressId: string; readonly nonce: number; readonly payoutId: string },
): Promise<AttemptRow[]> {
  return sql<AttemptRow[]>`
    ${selectAttempts(sql)}
    WHERE attempt.from_address_id = ${nonce.fromAddressId} AND attempt.nonce = ${nonce.nonce}
      AND attempt.payout_id <> ${nonce.payoutId} AND request.state IN ('leased', 'signed')`
}

/** Reads all that a signer gets of an attempt, including a PSBT with its parents: up to megabytes. */
export async function readPayload(sql: Queryable, transactionId: string): Promise<UtxoPayload | EvmPayload> {
  const [row] = await sql<{ payload: UtxoPayload | EvmPayload }[]>`
    SELECT payload FROM attempts WHERE id = ${transactionId}`
  if (!row) throw new Error(`Transaction ${transactionId} does not exist`)
  return row.payload
}

/** Whether the chain may still mine it: it is signed, and nothing that excludes it is final. */
export function isLive(attempt: AttemptRow): attempt is SignedAttempt {
  const live = attempt.state === 'signed' || attempt.state === 'broadcast' || attempt.state === 'mined'
  return live && attempt.txid !== null && attempt.signed_transaction !== null
}

/** Whether it is at the signer, so that no other attempt is requested beside it. */
export function isOpen({ state, passed_at }: Pick<AttemptRow, 'state' | 'passed_at'>): boolean {
  return state === 'built' && passed_at === null
}

/** Whether it was passed over, and may be signed all the same. */
export function isUnanswered({ state, passed_at }: Pick<AttemptRow, 'state' | 'passed_at'>): boolean {
  return state === 'built' && passed_at !== null
}

/**
 * Returns the ids of signed attempts that are followed but not sent: they were passed over and answered late,
 * and a cancellation was sent in the meantime.
 */
export function listWithheld(attempts: readonly AttemptRow[]): ReadonlySet<string> {
  const cancelled = attempts.some(({ purpose, state }) => purpose === 'cancel' && state !== 'abandoned')
  const late = attempts.filter(
    ({ purpose, passed_at }) => cancelled && purpose === 'pay' && passed_at !== null,
  )
  return new Set(late.map((attempt) => attempt.id))
}

/**
 * Returns the highest fee that one of them can cost, in base units. A replacement must exceed each that a
 * node may have.
 */
export function highestFee(attempts: readonly Pick<AttemptRow, 'max_fee'>[]): bigint {
  let most = 0n
  for (const { max_fee } of attempts) if (max_fee > most) most = max_fee
  return most
}

function selectAttempts(sql: Queryable) {
  return sql`
    SELECT attempt.id, attempt.number, attempt.network, attempt.from_address_id, attempt.nonce, attempt.purpose,
           attempt.cause, attempt.priority, attempt.state,
           CASE WHEN attempt.from_address_id IS NULL
                THEN jsonb_build_object('family', 'utxo', 'network', attempt.network) ELSE attempt.payload END AS payload,
           attempt.coin, attempt.amount, attempt.max_fee,
           attempt.vsize, attempt.inputs, attempt.signed_transaction, attempt.txid, attempt.conflict_height,
           (SELECT hash FROM chain_blocks block
            WHERE attempt.state = 'mined' AND block.network = attempt.network AND block.height = attempt.block_number
              AND block.hash = attempt.block_hash) AS scanned_in,
           attempt.created_at, attempt.broadcast_at, request.id AS request_id, request.state AS request_state,
           request.created_at AS request_created_at, request.answer, request.answered_at, signer.id AS signer_id,
           signer.name AS signer_name, signer.online AS signer_online, signer.last_seen_at AS signer_seen_at,
           signer.stopped AS signer_stopped, request.postponed, request.passed_at
    FROM attempts attempt
    JOIN signing_requests request ON request.transaction_id = attempt.id
    JOIN signers signer ON signer.id = request.signer_id`
}
