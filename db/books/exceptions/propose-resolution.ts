/** Proposes the resolution of an exception by a journal, which two other people must approve. */

import type { Coin, Network } from '../../../domain/chain/network.js'
import type { ExceptionResolutionIntent, JournalResolution } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import { findRise } from '../../chain/find-rise.js'
import type { Queryable, Transaction } from '../../connect.js'
import type { ApprovalSubject } from '../../controls/approvals/approval-subject.js'
import type { ExceptionResolutionRow } from '../../controls/changes/control-change-row.js'
import { lockChangeSubject } from '../../controls/changes/find-control-change.js'
import { insertControlChange } from '../../controls/changes/insert-control-change.js'
import { newId } from '../../new-id.js'
import {
  type Actor,
  auditException,
  type LockedException,
  lockException,
  moveException,
  proposeRootCause,
  requireNoRefund,
  requireStanding,
} from './change-exception.js'
import { endExpiredProposals } from './end-expired-proposals.js'
import { exceptionNotFound } from './list-exceptions.js'
import { requireResolvable } from './require-resolvable.js'
import { requireUser } from './require-user.js'

/** A checked proposal: the amount in base units. */
export interface ResolutionProposal extends Actor {
  readonly merchantId: string
  readonly id: string
  readonly resolution: JournalResolution
  readonly network: Network
  readonly coin: Coin
  readonly amount: bigint
  /** User who pays. `null`: the merchant's own account. */
  readonly from: string | null
  /** User who receives. `null`: the merchant's own account. */
  readonly to: string | null
  /** Address whose coins are written off. `null` for the other resolutions: a credit of a rise finds its own. */
  readonly addressId: string | null
  readonly comment: string
  /** Why it happened, which the exception gets once the proposal is booked. `null`: not given. */
  readonly rootCause: string | null
  /** Time that the proposal waits for its approvals, in milliseconds. */
  readonly expiryMs: number
}

/**
 * Stores the proposal with its frozen intent. Nothing is booked until two people other than the proposer have
 * approved it. The credit of an exception about a rise of a balance books the coins of that rise.
 *
 * @returns Id of the request.
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE`, `SAME_PARTY`, `INSUFFICIENT_BALANCE`, those of `requireBookable`.
 */
export async function proposeResolution(tx: Transaction, proposal: ResolutionProposal): Promise<string> {
  const { merchantId, id, network, coin } = proposal
  // The request is locked before the exception, in the order of an approval.
  await endExpiredProposals(tx, merchantId, [id])
  const row = await lockException(tx, merchantId, id)
  await requireFree(tx, row)
  const credits = proposal.resolution === 'credit'
  if (credits && proposal.to !== null) await requireUser(tx, merchantId, proposal.to)
  const rise = credits ? await findRise(tx, row) : null
  const address = await requireResolvable(tx, row, { ...proposal, rise })
  const request = newId('rsl')
  const now = Date.now()
  const intent: ExceptionResolutionIntent = {
    version: 1,
    kind: 'exception_resolution',
    merchant: merchantId,
    request,
    exception: id,
    exception_kind: row.kind,
    exception_reason: row.reason,
    resolution: proposal.resolution,
    network: network.caip2,
    asset: { coin: coin.name, contract: coin.contract, decimals: coin.decimals },
    amount: proposal.amount.toString(),
    from_user_reference: proposal.from,
    to_user_reference: proposal.to,
    address_id: rise?.addressId ?? proposal.addressId,
    address,
    comment: proposal.comment,
    cool_down_seconds: 0,
    initiator: proposal.by,
    created_at: new Date(now).toISOString(),
    expires_at: new Date(now + proposal.expiryMs).toISOString(),
  }
  await insertControlChange(tx, { id: request, intent, actor: proposal.actor, coolDownMs: 0 })
  await tx`UPDATE exceptions SET change_id = ${request}, updated_at = clock_timestamp() WHERE id = ${id}`
  await proposeRootCause(tx, row, proposal.rootCause)
  await auditException(tx, row, proposal, 'resolution_proposed', {
    resolution: proposal.resolution,
    root_cause: proposal.rootCause,
    request,
    comment: proposal.comment,
  })
  if (row.status === 'open') {
    await moveException(tx, row, 'in_progress', proposal, `${proposal.resolution} waits for approvals`)
  }
  return request
}

/**
 * Requires that an exception stands and that no other resolution of it is under way.
 *
 * @throws KeyturnError `INVALID_STATE`.
 */
export async function requireFree(tx: Transaction, row: LockedException): Promise<void> {
  requireStanding(row)
  requireNoRefund(row)
  const [open] = await tx`
    SELECT FROM control_changes WHERE id = ${row.change_id} AND state = 'pending_approval'`
  if (!open) return
  throw new KeyturnError('INVALID_STATE', 'A resolution of this exception waits for its approvals already', {
    details: { id: row.id, change_id: row.change_id },
  })
}

/** Finds the latest request of an exception. @throws KeyturnError `NOT_FOUND` if it has none. */
export async function findResolution(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<ExceptionResolutionRow> {
  const [row] = await sql<ExceptionResolutionRow[]>`
    SELECT change.* FROM exceptions exception JOIN control_changes change ON change.id = exception.change_id
    WHERE exception.id = ${id} AND exception.merchant_id = ${merchantId} AND change.kind = 'exception_resolution'`
  if (row) return row
  throw exceptionNotFound(id)
}

/** Finds and locks the latest request of an exception, for `recordApproval`. */
export async function lockResolutionSubject(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<ApprovalSubject> {
  const { id: request } = await findResolution(tx, merchantId, id)
  return lockChangeSubject('exception_resolution')(tx, merchantId, request)
}
