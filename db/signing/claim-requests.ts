/** Hands out requests to a signer, under a lease. Nonces are allocated here, not before. */

import { byFamily } from '../../domain/chain/by-family.js'
import type { Approval } from '../../domain/controls/approval.js'
import type { Intent } from '../../domain/controls/intent.js'
import { HEAD_START_MS } from '../../domain/payouts/queue-order.js'
import { isMovement } from '../../domain/payouts/treasury.js'
import type {
  EvmPayload,
  Payload,
  SigningRequest,
  UtxoPayload,
} from '../../domain/signing/signer-protocol.js'
import { inTransaction, json, type Sql, type Transaction } from '../connect.js'
import { signedApprovalList } from '../controls/approvals/approval-list.js'
import { findNewlyListed } from '../controls/sanctions/find-newly-listed.js'
import { allocateNonce } from '../payouts/attempts/allocate-nonce.js'
import type { PartOutput } from '../payouts/payout-row.js'

/** Most requests of one claim: enough to keep a signer busy for one round trip. */
export const MOST_AT_ONCE = 32
/**
 * Most bytes of the requests in one answer: below `MAX_ANSWER_BYTES`, which is all that signers read. A
 * request that is larger by itself is handed out alone.
 */
export const CLAIM_BYTES = 15_000_000
/** Bytes of names, times and brackets around what is measured. */
export const FRAME_BYTES = 2_000

interface OpenRow {
  readonly id: string
  readonly transaction_id: string
  readonly payout_id: string
  readonly number: number
  readonly state: 'queued' | 'leased'
  readonly purpose: SigningRequest['purpose']
  readonly network: string
  readonly payload_bytes: number
  readonly intent: Intent
  readonly intent_hash: string
  readonly approvals: readonly Approval[]
  /** Items of a part of a batch. */
  readonly outputs: readonly PartOutput[] | null
}

/**
 * Leases the signer's open requests by urgency and age, cancelling ones first.
 *
 * A request whose lease ran out, or that a stopped signer put off, is handed out again with the same payload
 * and nonce. A request whose wallet has no nonce to allocate stays queued. Of each wallet that allocates
 * nonces one at a time only the first request is considered, so that a long queue there delays no other
 * wallet. What does not fit into `CLAIM_BYTES` waits for the next claim, with all that comes after it.
 *
 * Two kinds are not handed out: a payout whose destination came onto the sanctions list after it was built,
 * which its workflow takes back, and an attempt that was passed over and has another one beside it.
 *
 * @param leaseMs - After this many milliseconds without an answer the request may be claimed again.
 */
export async function claimRequests(sql: Sql, signerId: string, leaseMs: number): Promise<SigningRequest[]> {
  return inTransaction(sql, async (tx) => {
    const rows = await selectOpen(tx, signerId, [])
    const claimed: SigningRequest[] = []
    let bytes = 0
    for (const row of rows) {
      bytes += bytesOf(row)
      if (claimed.length > 0 && bytes > CLAIM_BYTES) break
      const request = await lease(tx, row, leaseMs)
      if (request) claimed.push(request)
      else bytes -= bytesOf(row)
    }
    return claimed
  })
}

/**
 * Locks the next requests.
 *
 * @param withheld - Payouts that are left out, so that those behind them in a queue do not wait.
 */
async function selectOpen(
  tx: Transaction,
  signerId: string,
  withheld: readonly string[],
): Promise<readonly OpenRow[]> {
  const rows = await tx<OpenRow[]>`
    WITH open AS (
      SELECT request.id, attempt.purpose, attempt.network, attempt.from_address_id,
             attempt.from_address_id IS NOT NULL AND attempt.nonce IS NULL AS needs_nonce,
             payout.created_at - (${tx.json(HEAD_START_MS)}::jsonb ->> attempt.priority)::bigint * interval '1 millisecond'
               AS counts_from
      FROM signing_requests request
      JOIN attempts attempt ON attempt.id = request.transaction_id
      JOIN payouts payout ON payout.id = request.payout_id
      WHERE request.signer_id = ${signerId} AND (attempt.purpose = 'cancel'
          OR payout.investigation IS NULL AND payout.id <> ALL (${[...withheld]}))
        AND attempt.state = 'built' AND request.state IN ('queued', 'leased')
        AND (request.passed_at IS NULL OR NOT EXISTS (
          SELECT FROM attempts later
          WHERE later.payout_id = request.payout_id AND later.number > attempt.number AND later.state <> 'abandoned'))
        AND (request.lease_until < clock_timestamp() OR request.state = 'queued' AND request.lease_until IS NULL)
    ), placed AS (
      SELECT id, purpose, counts_from, needs_nonce,
             row_number() OVER (PARTITION BY network, from_address_id, needs_nonce ORDER BY counts_from, id) AS place
      FROM open
    )
    SELECT request.id, request.transaction_id, request.payout_id, request.state, attempt.number, attempt.purpose, attempt.network,
           coalesce(attempt.payload_bytes, octet_length(attempt.payload::text)) AS payload_bytes,
           coalesce(payout.intent, batch.intent) AS intent, payout.intent_hash,
           payout.outputs, coalesce(decided.list, '[]') AS approvals
    FROM placed
    JOIN signing_requests request ON request.id = placed.id
    JOIN attempts attempt ON attempt.id = request.transaction_id
    JOIN payouts payout ON payout.id = request.payout_id
    LEFT JOIN batches batch ON batch.id = payout.batch_id
    ${signedApprovalList(tx)}
    WHERE (placed.place = 1 OR NOT placed.needs_nonce)
      AND request.state IN ('queued', 'leased')
      AND (request.lease_until < clock_timestamp() OR request.state = 'queued' AND request.lease_until IS NULL)
    ORDER BY placed.purpose = 'cancel' DESC, placed.counts_from, request.id LIMIT ${MOST_AT_ONCE}
    FOR UPDATE OF request SKIP LOCKED`
  const paying = rows.filter((row) => row.purpose === 'pay' && row.state === 'queued')
  const listed = await findNewlyListed(
    tx,
    paying.map((row) => row.payout_id),
  )
  return listed.size === 0 ? rows : selectOpen(tx, signerId, [...withheld, ...listed.keys()])
}

/** Returns the size of the request as it will be sent, without reading its payload. */
function bytesOf({ payload_bytes, intent, approvals, outputs }: OpenRow): number {
  return payload_bytes + Buffer.byteLength(JSON.stringify([intent, approvals, outputs])) + FRAME_BYTES
}

/** Allocates the nonce of an EVM attempt and stores it. @returns `null` while no nonce is free. */
async function giveNonce(
  tx: Transaction,
  row: OpenRow,
  built: Omit<EvmPayload, 'nonce'>,
): Promise<EvmPayload | null> {
  const nonce = await allocateNonce(tx, row.network, built.from, row.payout_id)
  if (nonce === null) return null
  const payload = { ...built, nonce }
  await tx`
    UPDATE attempts SET nonce = ${nonce}, payload = ${json(tx, payload)} WHERE id = ${row.transaction_id}`
  return payload
}

async function lease(tx: Transaction, row: OpenRow, leaseMs: number): Promise<SigningRequest | null> {
  const [stored] = await tx<{ payload: UtxoPayload | EvmPayload | Omit<EvmPayload, 'nonce'> }[]>`
    SELECT payload FROM attempts WHERE id = ${row.transaction_id}`
  if (!stored) throw new Error(`Transaction ${row.transaction_id} does not exist`)
  const payload = await byFamily(stored.payload, {
    utxo: (complete) => complete,
    evm: (built) => ('nonce' in built ? built : giveNonce(tx, row, built)),
  })
  if (!payload) return null
  const [leased] = await tx<{ lease_until: Date }[]>`
    UPDATE signing_requests
    SET state = 'leased', first_leased_at = coalesce(first_leased_at, clock_timestamp()), lease_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    WHERE id = ${row.id} RETURNING lease_until`
  if (!leased) throw new Error(`Signing request ${row.id} vanished under its lock`)
  return {
    id: row.id,
    attempt: row.number,
    purpose: row.purpose,
    intent: row.intent,
    intent_hash: row.intent_hash,
    approvals: row.approvals,
    items: row.outputs?.map((output) => output.index) ?? null,
    payload: payload as Payload,
    lease_until: leased.lease_until.toISOString(),
    ...(await destinationOf(tx, row)),
  }
}

/** Returns the path of a movement's destination: the signer derives the address again. */
async function destinationOf(
  tx: Transaction,
  { intent, network }: OpenRow,
): Promise<{ destination_path?: string }> {
  if (!isMovement(intent.kind)) return {}
  const [destination] = await tx<{ derivation_path: string }[]>`
    SELECT derivation_path FROM addresses
    WHERE network = ${network} AND address = ${intent.outputs[0]?.address ?? ''} AND merchant_id = ${intent.merchant}`
  return destination ? { destination_path: destination.derivation_path } : {}
}
