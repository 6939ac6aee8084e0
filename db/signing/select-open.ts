/** Selects the requests that a signer may claim now, in the order in which it gets them. */

import type { Approval } from '../../domain/controls/approval.js'
import type { Intent } from '../../domain/controls/intent.js'
import { HEAD_START_MS } from '../../domain/payouts/queue-order.js'
import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import type { Transaction } from '../connect.js'
import { signedApprovalList } from '../controls/approvals/approval-list.js'
import { findNewlyListed } from '../controls/sanctions/find-newly-listed.js'
import { isAtSigner, isInFlight, MOST_IN_FLIGHT, openNonces } from '../payouts/attempts/allocate-nonce.js'
import type { PartOutput } from '../payouts/payout-row.js'

export interface OpenRow {
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
  /** Account whose nonce the request needs, or holds unsigned. `null` for every other request. */
  readonly lane: string | null
  /** Place in the queue of its account, from 1. */
  readonly place: number
}

/**
 * Locks the next requests: cancellations, then by urgency and age. While settlement is paused, only
 * cancellations.
 *
 * Requests of one account form a queue. Those that hold a nonce unsigned come first, lowest nonce first,
 * because a nonce above one that is refused would never be mined; then those that still need one, as many as
 * the account may have in flight. None comes while another request of the account is at the signer below it.
 * What cannot be handed out takes no place, so that a long queue delays no other wallet.
 *
 * @param most - Most requests in all.
 * @param run - Most requests of one account.
 * @param withheld - Payouts that are left out, so that those behind them in a queue do not wait.
 */
export async function selectOpen(
  tx: Transaction,
  signerId: string,
  most: number,
  run: number,
  withheld: readonly string[] = [],
): Promise<readonly OpenRow[]> {
  const rows = await tx<OpenRow[]>`
    WITH open AS (
      SELECT request.id, attempt.purpose, attempt.network, attempt.from_address_id, held.nonce AS held,
             attempt.from_address_id IS NOT NULL AND (attempt.nonce IS NULL OR held.nonce IS NOT NULL) AS in_lane,
             payout.created_at - (${tx.json(HEAD_START_MS)}::jsonb ->> attempt.priority)::bigint * interval '1 millisecond'
               AS counts_from
      FROM signing_requests request
      JOIN attempts attempt ON attempt.id = request.transaction_id
      JOIN payouts payout ON payout.id = request.payout_id
      LEFT JOIN addresses payer ON payer.id = attempt.from_address_id
      LEFT JOIN nonces held
        ON attempt.purpose = 'pay' AND held.network = attempt.network AND held.address = payer.address
        AND held.nonce = attempt.nonce AND held.state = 'allocated' AND held.payout_id = request.payout_id
      WHERE request.signer_id = ${signerId} AND (attempt.purpose = 'cancel'
          OR payout.investigation IS NULL AND payout.id <> ALL (${[...withheld]})
            AND NOT EXISTS (SELECT FROM standing_pause(payout.merchant_id, payout.network, payout.coin)))
        AND attempt.state = 'built' AND request.state IN ('queued', 'leased')
        AND (request.passed_at IS NULL OR NOT EXISTS (
          SELECT FROM attempts later
          WHERE later.payout_id = request.payout_id AND later.number > attempt.number AND later.state <> 'abandoned'))
        AND (request.lease_until < clock_timestamp() OR request.state = 'queued' AND request.lease_until IS NULL)
    ), lanes AS (
      SELECT lane.network, lane.from_address_id, used.busy, used.in_flight
      FROM (SELECT DISTINCT network, from_address_id FROM open WHERE in_lane) lane
      JOIN addresses payer ON payer.id = lane.from_address_id
      CROSS JOIN LATERAL (
        SELECT min(nonce.nonce) FILTER (WHERE ${isAtSigner(tx)} AND NOT EXISTS (
                 SELECT FROM open WHERE open.id = request.id AND open.in_lane)) AS busy,
               count(*) FILTER (WHERE ${isInFlight(tx)}) AS in_flight
        ${openNonces(tx)}
        WHERE nonce.network = lane.network AND nonce.address = payer.address AND nonce.state IN ('allocated', 'signed')
      ) used
    ), placed AS (
      SELECT id, purpose, network, from_address_id, in_lane, held,
             row_number() OVER (lane ORDER BY held NULLS LAST, counts_from, id) AS place,
             count(held) OVER lane AS holding,
             CASE WHEN held IS NULL THEN counts_from ELSE min(counts_from) OVER lane END AS turn
      FROM open WINDOW lane AS (PARTITION BY network, from_address_id, in_lane)
    )
    SELECT request.id, request.transaction_id, request.payout_id, request.state, attempt.number, attempt.purpose, attempt.network,
           coalesce(attempt.payload_bytes, octet_length(attempt.payload::text)) AS payload_bytes,
           coalesce(payout.intent, batch.intent) AS intent, payout.intent_hash,
           payout.outputs, coalesce(decided.list, '[]') AS approvals,
           CASE WHEN placed.in_lane THEN placed.from_address_id END AS lane, placed.place::int AS place
    FROM placed
    JOIN signing_requests request ON request.id = placed.id
    JOIN attempts attempt ON attempt.id = request.transaction_id
    JOIN payouts payout ON payout.id = request.payout_id
    LEFT JOIN batches batch ON batch.id = payout.batch_id
    LEFT JOIN lanes ON placed.in_lane AND lanes.network = placed.network AND lanes.from_address_id = placed.from_address_id
    ${signedApprovalList(tx)}
    WHERE (NOT placed.in_lane OR placed.place <= ${run} AND (
        placed.held < coalesce(lanes.busy, placed.held + 1)
        OR placed.held IS NULL AND lanes.busy IS NULL AND placed.place - placed.holding <= ${MOST_IN_FLIGHT} - lanes.in_flight))
      AND request.state IN ('queued', 'leased')
      AND (request.lease_until < clock_timestamp() OR request.state = 'queued' AND request.lease_until IS NULL)
    ORDER BY placed.purpose = 'cancel' DESC, placed.turn, placed.held NULLS LAST, request.id LIMIT ${most}
    FOR UPDATE OF request SKIP LOCKED`
  const paying = rows.filter((row) => row.purpose === 'pay' && row.state === 'queued')
  const listed = await findNewlyListed(
    tx,
    paying.map((row) => row.payout_id),
  )
  if (listed.size > 0) return selectOpen(tx, signerId, most, run, [...withheld, ...listed.keys()])
  return withoutHoles(rows)
}

/**
 * Leaves out what comes behind a request that another transaction has locked: the requests of one account
 * are handed out in their order, or not yet.
 */
function withoutHoles(rows: readonly OpenRow[]): readonly OpenRow[] {
  const next = new Map<string, number>()
  return rows.filter(({ lane, place }) => {
    if (lane === null) return true
    const expected = next.get(lane) ?? 1
    if (place !== expected) return false
    next.set(lane, expected + 1)
    return true
  })
}
