/** Hands out requests to a signer, under a lease. Nonces are allocated here, not before. */

import type { Intent } from '../../domain/controls/intent.js'
import { isMovement } from '../../domain/payouts/treasury.js'
import { MOST_IN_RUN, type Payload, type SigningRequest } from '../../domain/signing/signer-protocol.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import { allocateNonces } from '../payouts/attempts/allocate-nonce.js'
import { type OpenRow, selectOpen } from './select-open.js'

/** Most requests of one claim: enough to keep a signer busy for one round trip. */
export const MOST_AT_ONCE = 32
/**
 * Most bytes of the requests in one answer: below `MAX_ANSWER_BYTES`, which is all that signers read. A
 * request that is larger by itself is handed out alone.
 */
export const CLAIM_BYTES = 15_000_000
/** Bytes of names, times and brackets around what is measured. */
export const FRAME_BYTES = 2_000

/** A stored payload. That of an EVM account has its nonce only once the request was handed out. */
type StoredPayload = Payload | Omit<Extract<Payload, { family: 'evm' }>, 'nonce'>

/**
 * Leases the signer's open requests by urgency and age, cancelling ones first.
 *
 * A request whose lease ran out, or that a stopped signer put off, is handed out again with the same payload
 * and nonce. A request whose wallet has no nonce to allocate stays queued. Requests of one wallet that
 * allocate nonces are handed out as a run, in ascending order of their nonces, to a signer that understands
 * runs; one at a time to any other. No further one follows before all of them are answered. What does not fit
 * into `CLAIM_BYTES` waits for the next claim, with all that comes after it.
 *
 * Two kinds are not handed out: a payout whose destination came onto the sanctions list after it was built,
 * which its workflow takes back, and an attempt that was passed over and has another one beside it.
 *
 * @param leaseMs - After this many milliseconds without an answer the request may be claimed again.
 * @param runs - Whether the signer understands runs.
 */
export async function claimRequests(
  sql: Sql,
  signerId: string,
  leaseMs: number,
  runs = false,
): Promise<SigningRequest[]> {
  return inTransaction(sql, async (tx) => {
    const rows = fitting(await selectOpen(tx, signerId, MOST_AT_ONCE, runs ? MOST_IN_RUN : 1))
    if (rows.length === 0) return []
    const ready = inOrder(rows, await readPayloads(tx, rows))
    const runOf = new Map<string, string>()
    for (const { row } of ready) {
      if (runs && row.lane !== null && !runOf.has(row.lane)) runOf.set(row.lane, newId('run'))
    }
    return lease(
      tx,
      ready.map((each) => ({ ...each, run: runOf.get(each.row.lane ?? '') })),
      leaseMs,
    )
  })
}

/** Returns the first requests that fit into one answer. */
function fitting(rows: readonly OpenRow[]): readonly OpenRow[] {
  let bytes = 0
  const over = rows.findIndex((row, index) => {
    bytes += bytesOf(row)
    return index > 0 && bytes > CLAIM_BYTES
  })
  return over < 0 ? rows : rows.slice(0, over)
}

/** Returns the size of the request as it will be sent, without reading its payload. */
function bytesOf({ payload_bytes, intent, approvals, outputs }: OpenRow): number {
  return payload_bytes + Buffer.byteLength(JSON.stringify([intent, approvals, outputs])) + FRAME_BYTES
}

interface Ready {
  readonly row: OpenRow
  readonly payload: Payload
}

/** Reads the payloads, and gives a nonce to those that lack one. One without a nonce to have is left out. */
async function readPayloads(tx: Transaction, rows: readonly OpenRow[]): Promise<Ready[]> {
  const ids = rows.map((row) => row.transaction_id)
  const stored = await tx<{ id: string; payload: StoredPayload }[]>`
    SELECT id, payload FROM attempts WHERE id = ANY (${ids})`
  const payloads = new Map(stored.map(({ id, payload }) => [id, payload]))
  const nonces = await giveNonces(tx, rows, payloads)
  return rows.flatMap((row) => {
    const payload = payloads.get(row.transaction_id)
    if (!payload) throw new Error(`Transaction ${row.transaction_id} does not exist`)
    if (isComplete(payload)) return [{ row, payload }]
    const nonce = nonces.get(row.transaction_id)
    return nonce === undefined ? [] : [{ row, payload: { ...payload, nonce } }]
  })
}

function isComplete(payload: StoredPayload): payload is Payload {
  return payload.family === 'utxo' || 'nonce' in payload
}

/** Allocates the nonces of EVM attempts and stores them. @returns The nonces by attempt. */
async function giveNonces(
  tx: Transaction,
  rows: readonly OpenRow[],
  payloads: ReadonlyMap<string, StoredPayload>,
): Promise<ReadonlyMap<string, number>> {
  const given = new Map<string, number>()
  // Two claims lock accounts in the same order, so that neither waits for the other.
  for (const lane of [...new Set(rows.flatMap((row) => row.lane ?? []))].sort()) {
    const members = rows.filter((row) => row.lane === lane)
    const wanting = members.filter((row) => {
      const payload = payloads.get(row.transaction_id)
      return payload !== undefined && !isComplete(payload)
    })
    const [first] = wanting
    const payload = payloads.get(first?.transaction_id ?? '')
    if (!first || payload?.family !== 'evm') continue
    const nonces = await allocateNonces(
      tx,
      first.network,
      payload.from,
      wanting.map((row) => row.payout_id),
      members.map((row) => row.payout_id),
    )
    for (const row of wanting) {
      const nonce = nonces.get(row.payout_id)
      if (nonce !== undefined) given.set(row.transaction_id, nonce)
    }
  }
  if (given.size > 0) {
    await tx`
      UPDATE attempts SET nonce = given.nonce, payload = payload || jsonb_build_object('nonce', given.nonce)
      FROM unnest(${[...given.keys()]}::text[], ${[...given.values()]}::bigint[]) AS given (id, nonce)
      WHERE attempts.id = given.id`
  }
  return given
}

/** Sorts the requests of each account by nonce. The places that the account has in the list stay its own. */
function inOrder(rows: readonly OpenRow[], ready: readonly Ready[]): readonly Ready[] {
  const nonceOf = ({ payload }: Ready) => (payload.family === 'evm' ? payload.nonce : 0)
  const lanes = new Map<string, Ready[]>()
  for (const each of ready) {
    const { lane } = each.row
    if (lane !== null) lanes.set(lane, [...(lanes.get(lane) ?? []), each])
  }
  for (const members of lanes.values()) members.sort((one, other) => nonceOf(one) - nonceOf(other))
  const others = new Map(ready.map((each) => [each.row.id, each]))
  return rows.flatMap((row) => {
    const next = row.lane === null ? others.get(row.id) : lanes.get(row.lane)?.shift()
    return next ?? []
  })
}

async function lease(
  tx: Transaction,
  ready: readonly (Ready & { readonly run: string | undefined })[],
  leaseMs: number,
): Promise<SigningRequest[]> {
  if (ready.length === 0) return []
  const [leased] = await tx<{ lease_until: Date }[]>`
    WITH leased AS (
      UPDATE signing_requests request
      SET state = 'leased', first_leased_at = coalesce(first_leased_at, clock_timestamp()), run = claimed.run,
          lease_until = statement_timestamp() + ${leaseMs} * interval '1 millisecond'
      FROM unnest(${ready.map(({ row }) => row.id)}::text[], ${ready.map(({ run }) => run ?? null)}::text[])
        AS claimed (id, run)
      WHERE request.id = claimed.id RETURNING lease_until)
    SELECT min(lease_until) AS lease_until FROM leased HAVING count(*) = ${ready.length}`
  if (!leased) throw new Error('A signing request vanished under its lock')
  const paths = await destinationsOf(
    tx,
    ready.map(({ row }) => row),
  )
  return ready.map(({ row, payload, run }) => {
    const path = paths.get(row.id)
    return {
      id: row.id,
      attempt: row.number,
      purpose: row.purpose,
      intent: row.intent,
      intent_hash: row.intent_hash,
      approvals: row.approvals,
      items: row.outputs?.map((output) => output.index) ?? null,
      payload,
      lease_until: leased.lease_until.toISOString(),
      ...(path === undefined ? {} : { destination_path: path }),
      ...(run === undefined ? {} : { run }),
    }
  })
}

/** Returns the paths of movements' destinations by request: the signer derives the addresses again. */
async function destinationsOf(
  tx: Transaction,
  rows: readonly OpenRow[],
): Promise<ReadonlyMap<string, string>> {
  const moving = rows.filter(({ intent }) => isMovement(intent.kind))
  if (moving.length === 0) return new Map()
  const addressOf = (intent: Intent) => intent.outputs[0]?.address ?? ''
  const found = await tx<{ id: string; derivation_path: string }[]>`
    SELECT moving.id, address.derivation_path
    FROM unnest(${moving.map(({ id }) => id)}::text[], ${moving.map(({ network }) => network)}::text[],
                ${moving.map(({ intent }) => addressOf(intent))}::text[],
                ${moving.map(({ intent }) => intent.merchant)}::text[]) AS moving (id, network, address, merchant)
    JOIN addresses address ON address.network = moving.network AND address.address = moving.address
      AND address.merchant_id = moving.merchant`
  return new Map(found.map(({ id, derivation_path }) => [id, derivation_path]))
}
