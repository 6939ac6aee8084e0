/** Nonces of EVM accounts. Each is a row, allocated under the account's lock, lowest free one first. */

import type { Queryable, Transaction } from '../../connect.js'

/** Executable transactions that geth keeps for one account. Further ones may be dropped from the mempool. */
export const MOST_IN_FLIGHT = 16

/**
 * Stores the account's next nonce on the chain, under the account's lock. Free nonces below it were used by
 * another program (`foreign`) and are never allocated.
 */
export async function observeChainNonce(
  tx: Transaction,
  network: string,
  address: string,
  chainNonce: number,
): Promise<void> {
  await tx`
    INSERT INTO nonce_accounts (network, address, base_nonce) VALUES (${network}, ${address}, ${chainNonce})
    ON CONFLICT (network, address) DO UPDATE SET base_nonce = greatest(nonce_accounts.base_nonce, excluded.base_nonce)`
  await tx`
    UPDATE nonces SET state = 'foreign'
    WHERE network = ${network} AND address = ${address} AND state IN ('free', 'gap') AND nonce < ${chainNonce}`
}

/**
 * Returns the nonces of payouts of one account: of each the one it has, or else the lowest free one, or else
 * the next. The payouts go to the signer together, in this order, so their new nonces ascend.
 *
 * Gives no new nonce while the account has as many transactions in flight as a node keeps, or while another
 * first attempt is at the signer: the signer stops such a run at its first refusal, so a refusal never leaves
 * a gap below a signed transaction. A further attempt has a nonce that is signed already, so a signer that
 * does not answer it keeps no other payout waiting.
 *
 * @param beside - Payouts that are handed out again before these, in the same run.
 * @returns The nonces by payout. A payout without one is absent.
 */
export async function allocateNonces(
  tx: Transaction,
  network: string,
  address: string,
  payoutIds: readonly string[],
  beside: readonly string[] = [],
): Promise<ReadonlyMap<string, number>> {
  const [account] = await tx<{ base_nonce: bigint }[]>`
    SELECT base_nonce FROM nonce_accounts WHERE network = ${network} AND address = ${address} FOR UPDATE`
  if (!account) throw new Error(`The chain's nonce of ${address} on ${network} was never observed`)
  const mine = await tx<{ payout_id: string; nonce: bigint }[]>`
    SELECT payout_id, nonce FROM nonces
    WHERE network = ${network} AND address = ${address} AND payout_id = ANY (${[...payoutIds]})
      AND state IN ('allocated', 'signed')`
  const given = new Map(mine.map((row) => [row.payout_id, Number(row.nonce)]))
  const wanting = payoutIds.filter((id) => !given.has(id))
  const [lane] = await tx<{ at_signer: number; in_flight: number }[]>`
    SELECT count(*) FILTER (WHERE ${isAtSigner(tx)} AND nonce.payout_id <> ALL (${[...payoutIds, ...beside]}))::int AS at_signer,
           count(*) FILTER (WHERE ${isInFlight(tx)})::int AS in_flight
    ${openNonces(tx)}
    WHERE nonce.network = ${network} AND nonce.address = ${address} AND nonce.state IN ('allocated', 'signed')`
  if (!lane || lane.at_signer > 0) return given
  const taking = wanting.slice(0, Math.max(0, MOST_IN_FLIGHT - lane.in_flight))
  if (taking.length === 0) return given
  const next = await tx<{ nonce: bigint }[]>`
    (SELECT nonce FROM nonces
     WHERE network = ${network} AND address = ${address} AND state = 'free' AND nonce >= ${account.base_nonce}
     ORDER BY nonce LIMIT ${taking.length})
    UNION ALL
    SELECT greatest(${account.base_nonce}::bigint, (
      SELECT max(nonce) + 1 FROM nonces WHERE network = ${network} AND address = ${address})) + place
    FROM generate_series(0, ${taking.length - 1}) AS place
    ORDER BY nonce LIMIT ${taking.length}`
  const nonces = next.map((row) => Number(row.nonce))
  await tx`
    INSERT INTO nonces (network, address, nonce, state, payout_id)
    SELECT ${network}, ${address}, nonce, 'allocated', payout_id
    FROM unnest(${nonces}::bigint[], ${taking}::text[]) AS next (nonce, payout_id)
    ON CONFLICT (network, address, nonce) DO UPDATE SET state = 'allocated', payout_id = excluded.payout_id`
  taking.forEach((id, index) => {
    const nonce = nonces[index]
    if (nonce !== undefined) given.set(id, nonce)
  })
  return given
}

/** Joins each row of `nonces` with its payout's newest request, and with whether the payout is mined. */
export function openNonces(sql: Queryable) {
  return sql`
    FROM nonces nonce
    LEFT JOIN LATERAL (
      SELECT id, state FROM signing_requests WHERE payout_id = nonce.payout_id ORDER BY created_at DESC LIMIT 1
    ) request ON true
    LEFT JOIN LATERAL (
      SELECT bool_or(state IN ('mined', 'final')) AS mined FROM attempts WHERE payout_id = nonce.payout_id
    ) attempt ON true`
}

/** Whether a row of `openNonces` belongs to a first attempt that waits for its signer. */
export function isAtSigner(sql: Queryable) {
  return sql`nonce.state = 'allocated' AND request.state IN ('queued', 'leased')`
}

/** Whether a row of `openNonces` counts among the transactions that a node keeps. */
export function isInFlight(sql: Queryable) {
  return sql`NOT coalesce(attempt.mined, false)`
}

/**
 * Takes a nonce back from a payout that goes on and gets another one. Of the nonce the row remembers the
 * payout that had it before this one: a nonce fill cancels the last one's intent, and the intent of this one
 * is still to be paid.
 *
 * @returns Whether the payout held one.
 */
export async function takeNonceBack(tx: Transaction, payoutId: string): Promise<boolean> {
  const taken = await tx`
    UPDATE nonces SET state = 'free', payout_id = NULL, freed_at = clock_timestamp()
    WHERE payout_id = ${payoutId} AND state = 'allocated' RETURNING nonce`
  return taken.length > 0
}

/**
 * Frees the nonces that a payout holds unsigned. A signed nonce stays, because its bytes may still be mined.
 *
 * @param maybeSigned - Whether the signer may have signed with it. Its journal then gives the nonce to no
 * other payout, so the platform does not either.
 * @returns The freed nonces.
 */
export async function freeNonces(
  tx: Transaction,
  payoutId: string,
  maybeSigned = false,
): Promise<{ readonly address: string; readonly nonce: bigint }[]> {
  return tx<{ address: string; nonce: bigint }[]>`
    UPDATE nonces
    SET state = CASE WHEN ${maybeSigned} OR EXISTS (
                       SELECT FROM signing_requests WHERE payout_id = last.id AND state = 'signed')
                     THEN 'gap' ELSE 'free' END,
        payout_id = NULL, last_payout_id = last.id, freed_at = clock_timestamp()
    FROM (
      -- What was to fill a gap stands for whom the nonce was given to before.
      SELECT given.network, given.address, given.nonce,
             CASE WHEN holder.kind = 'nonce_fill' THEN given.last_payout_id ELSE given.payout_id END AS id
      FROM nonces given LEFT JOIN payouts holder ON holder.id = given.payout_id
      WHERE given.payout_id = ${payoutId} AND given.state = 'allocated'
    ) AS last
    WHERE nonces.network = last.network AND nonces.address = last.address AND nonces.nonce = last.nonce
    RETURNING nonces.address, nonces.nonce`
}

/** Returns the nonce that a payout holds unsigned, or `null`. */
export async function findAllocatedNonce(sql: Queryable, payoutId: string): Promise<number | null> {
  const [row] = await sql<{ nonce: bigint }[]>`
    SELECT nonce FROM nonces WHERE payout_id = ${payoutId} AND state = 'allocated'`
  return row ? Number(row.nonce) : null
}
