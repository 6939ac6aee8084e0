/** Changes exceptions as a person asks: assigns, comments and resolves them, each with history and audit entry. */

import {
  EXCEPTION_TRANSITIONS,
  type ExceptionResolution,
  type ExceptionStatus,
} from '../../../domain/books/exception.js'
import { KeyturnError } from '../../../domain/errors.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import { type Hold, releaseHolds } from './dispute-holds.js'
import type { ExceptionRow } from './exception-row.js'
import { handOverHolds } from './hand-over-holds.js'
import { exceptionNotFound } from './list-exceptions.js'

/** Row that is locked, with what a decision about it needs. */
export type LockedException = Pick<
  ExceptionRow,
  | 'id'
  | 'merchant_id'
  | 'kind'
  | 'cause'
  | 'status'
  | 'reason'
  | 'subject_type'
  | 'subject_id'
  | 'evidence'
  | 'payment_id'
  | 'user_reference'
  | 'owner'
  | 'resolution'
  | 'root_cause'
  | 'proposed_root_cause'
  | 'change_id'
  | 'withdrawal_id'
>

/** Who acts. */
export interface Actor {
  /** Id of the person or, without one, of the API key. */
  readonly by: string
  /** Name in the audit log. */
  readonly actor: string
}

/**
 * Locks a merchant's exceptions in the order of their ids, those that it does not know left out. With a dispute it locks
 * the others that may concern the same money, because they hold what that one releases.
 *
 * @returns The rows whose ids were asked for, in the order of the ids.
 */
export async function lockKnown(
  tx: Transaction,
  merchantId: string,
  ids: readonly string[],
): Promise<LockedException[]> {
  const asked = new Set(ids)
  const rows = await tx<LockedException[]>`
    WITH disputed AS MATERIALIZED (
      SELECT user_reference FROM exceptions
      WHERE merchant_id = ${merchantId} AND id = ANY (${[...asked]}) AND kind = 'dispute' AND status <> 'resolved'
    )
    SELECT * FROM exceptions
    WHERE merchant_id = ${merchantId} AND (id = ANY (${[...asked]}) OR id IN (
      SELECT other.id FROM disputed JOIN exceptions other
        ON other.user_reference IS NOT DISTINCT FROM disputed.user_reference
      WHERE other.merchant_id = ${merchantId} AND other.kind = 'dispute' AND other.status <> 'resolved'))
    ORDER BY id FOR UPDATE`
  return rows.filter((row) => asked.has(row.id))
}

/**
 * Locks a merchant's exceptions as `lockKnown` does.
 *
 * @returns The rows in the order of `ids`.
 * @throws KeyturnError `NOT_FOUND` that names each id which is unknown or another merchant's.
 */
export async function lockExceptions(
  tx: Transaction,
  merchantId: string,
  ids: readonly string[],
): Promise<LockedException[]> {
  const rows = await lockKnown(tx, merchantId, ids)
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => {
    const row = byId.get(id)
    if (!row) throw exceptionNotFound(id)
    return row
  })
}

/** Locks one exception. @throws KeyturnError `NOT_FOUND`. */
export async function lockException(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<LockedException> {
  const [row] = await lockExceptions(tx, merchantId, [id])
  if (!row) throw exceptionNotFound(id)
  return row
}

/** Gives an exception to a person. @throws KeyturnError `UNKNOWN_PERSON`, `INVALID_STATE`. */
export async function assignException(
  tx: Transaction,
  row: LockedException,
  owner: string,
  actor: Actor,
): Promise<void> {
  requireStanding(row)
  const [person] = await tx`SELECT FROM persons WHERE id = ${owner} AND merchant_id = ${row.merchant_id}`
  if (!person) {
    throw new KeyturnError('UNKNOWN_PERSON', 'The owner is no person of this merchant; send the id of one', {
      details: { owner },
    })
  }
  if (row.owner === owner) return
  await tx`UPDATE exceptions SET owner = ${owner}, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await auditException(tx, row, actor, 'assigned', { owner, previous_owner: row.owner })
  if (row.status === 'open') {
    await moveException(tx, row, 'in_progress', actor, `Assigned to ${owner}`)
  }
}

/** Comments of an exception beyond which people can add none, so that its page and its export stay readable. */
const MOST_COMMENTS = 200

/** Adds a comment of a person, also to a resolved exception. @throws KeyturnError `INVALID_STATE` if it has too many. */
export async function addComment(
  tx: Transaction,
  row: LockedException,
  text: string,
  actor: Actor,
): Promise<void> {
  const [full] = await tx`
    SELECT FROM exceptions WHERE id = ${row.id} AND jsonb_array_length(comments) >= ${MOST_COMMENTS}`
  if (full) {
    throw new KeyturnError('INVALID_STATE', `This exception has ${MOST_COMMENTS} comments already`, {
      details: { id: row.id, limit: MOST_COMMENTS },
    })
  }
  await commentException(tx, row, text, actor)
}

/** Writes what a resolution or the platform says into the comments. It is never refused. */
export async function commentException(
  tx: Transaction,
  row: LockedException,
  text: string,
  actor: Actor,
): Promise<void> {
  const comment = { text, by: actor.by, at: new Date().toISOString() }
  await tx`
    UPDATE exceptions SET comments = comments || ${json(tx, [comment])}::jsonb, updated_at = clock_timestamp()
    WHERE id = ${row.id}`
  await auditException(tx, row, actor, 'commented', { text })
}

/** Stores why it happened. */
export async function setRootCause(
  tx: Transaction,
  row: LockedException,
  rootCause: string,
  actor: Actor,
): Promise<void> {
  await tx`
    UPDATE exceptions SET root_cause = ${rootCause}, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await auditException(tx, row, actor, 'root_cause_set', { root_cause: rootCause, previous: row.root_cause })
}

/** Stores the root cause of a proposal, which the exception gets once the proposal is booked. `null` forgets it. */
export async function proposeRootCause(
  tx: Transaction,
  row: LockedException,
  rootCause: string | null,
): Promise<void> {
  await tx`UPDATE exceptions SET proposed_root_cause = ${rootCause} WHERE id = ${row.id}`
}

/**
 * Resolves an exception, and releases what a dispute holds: other disputes about it hold it then.
 *
 * @param paid - What the resolution moves away from a party, of what is released.
 * @throws KeyturnError `INVALID_STATE` if it is resolved. The caller has checked that no other resolution of it is
 * under way.
 */
export async function resolveException(
  tx: Transaction,
  row: LockedException,
  resolution: Exclude<ExceptionResolution, 'cause_gone'>,
  actor: Actor,
  facts: Readonly<Record<string, unknown>> = {},
  paid: Omit<Hold, 'depositId'> | null = null,
): Promise<void> {
  requireStanding(row)
  await handOverHolds(tx, row, await releaseHolds(tx, row), paid)
  if (resolution !== 'none' && row.proposed_root_cause !== null) {
    await setRootCause(tx, row, row.proposed_root_cause, actor)
  }
  await moveException(tx, row, 'resolved', actor, `Resolved: ${resolution}`, resolution)
  await auditException(tx, row, actor, 'resolved', { kind: row.kind, cause: row.cause, resolution, ...facts })
}

/** Moves an exception that the caller has locked to a status, with a line in its history. */
export async function moveException(
  tx: Transaction,
  row: LockedException,
  to: ExceptionStatus,
  { actor }: Pick<Actor, 'actor'>,
  cause: string,
  resolution: ExceptionResolution | null = null,
): Promise<void> {
  if (!EXCEPTION_TRANSITIONS[row.status].includes(to)) {
    throw new Error(`Exception ${row.id} cannot go from ${row.status} to ${to}`)
  }
  const line = { status: to, at: new Date().toISOString(), actor, cause }
  await tx`
    UPDATE exceptions SET
      status = ${to}, resolution = ${resolution}, history = history || ${json(tx, [line])}::jsonb,
      resolved_at = CASE WHEN ${to} = 'resolved' THEN clock_timestamp() END, updated_at = clock_timestamp()
    WHERE id = ${row.id}`
}

/** @throws KeyturnError `INVALID_STATE` if it is resolved. */
export function requireStanding(row: LockedException): void {
  if (row.status !== 'resolved') return
  throw new KeyturnError(
    'INVALID_STATE',
    'This exception is resolved. The same cause may raise another one',
    {
      details: { id: row.id, status: row.status, resolution: row.resolution },
    },
  )
}

/** Requires that no refund of an exception is under way. @throws KeyturnError `INVALID_STATE`. */
export function requireNoRefund(row: LockedException): void {
  if (row.withdrawal_id === null) return
  throw new KeyturnError(
    'INVALID_STATE',
    'A refund of this exception is under way; cancel its withdrawal first',
    { details: { id: row.id, withdrawal_id: row.withdrawal_id } },
  )
}

/** Appends an audit entry about an exception. */
export async function auditException(
  tx: Transaction,
  row: Pick<LockedException, 'id' | 'merchant_id'>,
  { actor }: Pick<Actor, 'actor'>,
  act: string,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor,
    action: `exception.${act}`,
    subject: row.id,
    data,
  })
}
