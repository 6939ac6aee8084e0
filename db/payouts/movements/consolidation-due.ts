/** The outbox of consolidations: which addresses are to be checked, and when. */

import type { ConsolidationInput } from '../../../temporal/inputs.js'
import { isoNow, type Queryable } from '../../connect.js'

/** Most that one sweep takes. The next sweep takes the next. */
const BATCH = 500
/** Lease of a workflow on an address. If the workflow is gone, another is started after that time. */
const LEASE_MS = 600_000

/**
 * Makes an address due now, because it received something or a person requested it. Only deposit addresses
 * are swept.
 */
export async function dueNow(sql: Queryable, addressId: string, coin: string): Promise<void> {
  await sql`
    INSERT INTO consolidations (merchant_id, network, coin, address_id, due_at)
    SELECT merchant_id, network, ${coin}, id, clock_timestamp() FROM addresses
    WHERE id = ${addressId} AND kind = 'deposit'
    ON CONFLICT (address_id, coin) DO UPDATE SET due_at = clock_timestamp(), version = consolidations.version + 1`
}

/** Leases an address to a workflow for a while. */
export async function leaseConsolidation(sql: Queryable, addressId: string, coin: string): Promise<void> {
  await sql`
    UPDATE consolidations SET due_at = clock_timestamp() + ${LEASE_MS} * interval '1 millisecond'
    WHERE address_id = ${addressId} AND coin = ${coin} AND due_at IS NOT NULL`
}

/**
 * Marks that nothing is left to do, unless something arrived since `version` was read.
 *
 * @returns False in that case.
 */
export async function restConsolidation(
  sql: Queryable,
  addressId: string,
  coin: string,
  version: number,
  note: { readonly code: string; readonly message: string } | null,
): Promise<boolean> {
  const rested = await sql`
    UPDATE consolidations SET due_at = NULL, failures = 0, note = ${stamped(sql, note)}
    WHERE address_id = ${addressId} AND coin = ${coin} AND version = ${version} RETURNING 1`
  return rested.length > 0
}

/**
 * Checks again after a while, and stores why.
 *
 * @param failed - Whether it counts as a failure: the next wait is twice as long.
 */
export async function postponeConsolidation(
  sql: Queryable,
  addressId: string,
  coin: string,
  wait: { readonly ms: number; readonly failed: boolean; readonly code: string; readonly message: string },
): Promise<void> {
  await sql`
    UPDATE consolidations SET
      due_at = clock_timestamp() + ${wait.ms} * interval '1 millisecond',
      failures = CASE WHEN ${wait.failed} THEN failures + 1 ELSE failures END,
      note = ${stamped(sql, wait)}
    WHERE address_id = ${addressId} AND coin = ${coin}`
}

/** Resets the count of failures after a sweep was paid. */
export async function forgetFailures(sql: Queryable, addressId: string, coin: string): Promise<void> {
  await sql`
    UPDATE consolidations SET failures = 0, note = NULL WHERE address_id = ${addressId} AND coin = ${coin}`
}

/**
 * Returns the addresses that are due, longest first. Each is leased to the caller, who starts their
 * workflows.
 */
export async function takeDueConsolidations(
  sql: Queryable,
  olderThanMs: number,
): Promise<ConsolidationInput[]> {
  const rows = await sql<
    { merchant_id: string; network: string; coin: string; address_id: string; address: string }[]
  >`
    WITH due AS (
      SELECT address_id, coin FROM consolidations
      WHERE due_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
      ORDER BY due_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
    UPDATE consolidations consolidation
    SET due_at = clock_timestamp() + ${LEASE_MS} * interval '1 millisecond'
    FROM due JOIN addresses address ON address.id = due.address_id
    WHERE consolidation.address_id = due.address_id AND consolidation.coin = due.coin
    RETURNING consolidation.merchant_id, consolidation.network, consolidation.coin, consolidation.address_id, address.address`
  return rows.map((row) => ({
    merchantId: row.merchant_id,
    network: row.network,
    coin: row.coin,
    id: row.address_id,
    title: `${row.coin} of ${row.address}`,
  }))
}

/**
 * Makes the addresses of a merchant due that hold something in the books.
 *
 * @returns The number of addresses.
 */
export async function dueOnRequest(
  sql: Queryable,
  request: {
    readonly merchantId: string
    readonly network: string
    readonly coin?: string | undefined
    readonly addressId?: string | undefined
  },
): Promise<ConsolidationInput[]> {
  const { merchantId, network, coin, addressId } = request
  const rows = await sql<{ coin: string; address_id: string; address: string }[]>`
    INSERT INTO consolidations (merchant_id, network, coin, address_id, due_at)
    SELECT address.merchant_id, address.network, account.coin, address.id, clock_timestamp()
    FROM ledger_accounts account
    JOIN addresses address ON address.id = account.owner AND address.kind = 'deposit'
    WHERE account.merchant_id = ${merchantId} AND account.network = ${network} AND account.kind = 'chain'
      AND account.balance > 0
      ${coin === undefined ? sql`` : sql`AND account.coin = ${coin}`}
      ${addressId === undefined ? sql`` : sql`AND address.id = ${addressId}`}
    ORDER BY account.balance DESC LIMIT ${BATCH}
    ON CONFLICT (address_id, coin) DO UPDATE SET due_at = clock_timestamp(), version = consolidations.version + 1
    RETURNING coin, address_id, (SELECT address FROM addresses WHERE id = address_id) AS address`
  return rows.map((row) => ({
    merchantId,
    network,
    coin: row.coin,
    id: row.address_id,
    title: `${row.coin} of ${row.address}`,
  }))
}

function stamped(sql: Queryable, note: { readonly code: string; readonly message: string } | null) {
  if (note === null) return sql`NULL`
  return sql`jsonb_build_object('code', ${note.code}::text, 'message', ${note.message}::text,
    'at', ${isoNow(sql)})`
}
