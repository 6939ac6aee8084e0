/** Closes exceptions whose cause has ended, by evidence and with an audit entry. */

import { appendAudit } from '../../audit/append-audit.js'
import { iso, type Transaction } from '../../connect.js'

/** A cause that has ended, with the facts that prove it. */
export interface GoneCause {
  readonly merchantId: string
  readonly cause: string
  /** JSON only. */
  readonly evidence: Readonly<Record<string, unknown>>
}

/**
 * Closes the standing exception of a cause. Does nothing if there is none. A resolution by a person stays, and
 * the same cause may be raised again.
 *
 * @returns Whether an exception was closed.
 */
export async function closeCause(
  tx: Transaction,
  merchantId: string,
  cause: string,
  evidence: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  return (await closeCauses(tx, [{ merchantId, cause, evidence }])) > 0
}

/**
 * Closes the standing exceptions of many causes.
 *
 * @returns How many were closed.
 */
export async function closeCauses(tx: Transaction, gone: readonly GoneCause[]): Promise<number> {
  if (gone.length === 0) return 0
  const rows = await tx<Closed[]>`
    WITH gone AS (
      SELECT * FROM unnest(
        ${gone.map((each) => each.merchantId)}::text[], ${gone.map((each) => each.cause)}::text[],
        ${gone.map((each) => JSON.stringify(each.evidence))}::text[]
      ) AS gone (merchant_id, cause, evidence)
    ), locked AS (
      SELECT exception.id, exception.status, gone.evidence::jsonb AS evidence,
             date_trunc('milliseconds', clock_timestamp()) AS at
      FROM exceptions exception JOIN gone USING (merchant_id, cause)
      WHERE exception.cause_gone_at IS NULL
        -- A refund that is under way may still pay, so that a person decides, and not the end of the cause.
        AND (exception.status = 'resolved' OR exception.withdrawal_id IS NULL)
      ORDER BY exception.id FOR UPDATE OF exception
    )
    UPDATE exceptions exception SET
      cause_gone_at = locked.at, updated_at = locked.at,
      evidence = exception.evidence || jsonb_build_object('closed_by', locked.evidence),
      status = 'resolved', resolution = coalesce(exception.resolution, 'cause_gone'),
      resolved_at = coalesce(exception.resolved_at, locked.at),
      history = CASE WHEN locked.status = 'resolved' THEN exception.history ELSE exception.history || jsonb_build_object(
        'status', 'resolved', 'at', ${iso(tx, 'locked.at')}, 'actor', ${ACTOR}::text, 'cause', 'The cause ended') END
    FROM locked WHERE exception.id = locked.id
    RETURNING exception.id, exception.merchant_id, exception.kind, exception.cause, locked.status AS before, locked.evidence`
  const closed = rows.filter((row) => row.before !== 'resolved')
  for (const { id, merchant_id: merchantId, kind, cause, evidence } of closed) {
    await appendAudit(tx, {
      merchantId,
      actor: ACTOR,
      action: 'exception.closed',
      subject: id,
      data: { kind, cause, evidence },
    })
  }
  return closed.length
}

interface Closed {
  readonly id: string
  readonly merchant_id: string
  readonly kind: string
  readonly cause: string
  /** Status before. A resolution by a person stays. */
  readonly before: string
  readonly evidence: Readonly<Record<string, unknown>>
}

/** Actor of what the platform closes. */
const ACTOR = 'system:exceptions'
