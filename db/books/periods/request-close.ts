/** Requests the close of a period: checks it, freezes what it holds, and waits for two approvals. */

import { RECONCILIATION_SCOPES } from '../../../domain/books/difference.js'
import { monthOf } from '../../../domain/books/period.js'
import { type ChecklistItem, periodHash } from '../../../domain/books/period-books.js'
import type { Networks } from '../../../domain/chain/network.js'
import type { PeriodCloseIntent } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import { json, type Transaction } from '../../connect.js'
import { insertControlChange } from '../../controls/changes/insert-control-change.js'
import { newId } from '../../new-id.js'
import type { ReconciliationRow } from '../reconciliation/run-row.js'
import { startReconciliation } from '../reconciliation/start-reconciliation.js'
import { allowLong } from './allow-long.js'
import { findPendingChange } from './find-period-change.js'
import { type FoundPeriod, findPeriod } from './find-window.js'
import { noteLate } from './note-late.js'
import { lockPeriods } from './period-row.js'
import { isGreen, readChecklist } from './read-checklist.js'
import { readProof } from './read-proof.js'
import { readTrialBalance } from './read-trial-balance.js'
import { setFence } from './set-fence.js'

export interface CloseRequest {
  readonly merchantId: string
  readonly period: string
  /** Instant up to which every booking is committed (`settleTime`). */
  readonly settled: Date
  /** Whether a month that has not ended may be closed: then its window ends at `settled`. */
  readonly early: boolean
  /** Person, or API key without one, that asks. */
  readonly initiator: string
  readonly actor: string
  /** Time that the request waits for its approvals, in milliseconds. */
  readonly expiryMs: number
  /** Reconciliations of the merchant that may be open at a time. */
  readonly mostRuns: number
}

export interface RequestedClose {
  readonly intent: PeriodCloseIntent
  /** Reconciliation that the close waits for. Its workflow is still to be started. */
  readonly run: ReconciliationRow
}

/**
 * Stores the request with its frozen intent, and creates the reconciliation that it waits for. From now on no
 * journal can enter the window.
 *
 * @returns The intent, whose `close` is the request's id, and the reconciliation.
 * @throws KeyturnError `NOT_FOUND` for a month before the merchant's first one; `INVALID_STATE` if it is not
 * open, has not ended, or something of the checklist (`details.checklist`) speaks against it;
 * `RATE_LIMITED` if too many reconciliations are open.
 */
export async function requestClose(
  tx: Transaction,
  networks: Networks,
  request: CloseRequest,
): Promise<RequestedClose> {
  const { merchantId, period, settled } = request
  await lockPeriods(tx, merchantId)
  await allowLong(tx, merchantId)
  const found = await findPeriod(tx, merchantId, period)
  if (!found) {
    throw new KeyturnError('NOT_FOUND', `There is no period ${period}: the books begin later`, {
      details: { period },
    })
  }
  await requireOpen(tx, found, merchantId)
  const running = settled < monthOf(period).to
  if (running && !request.early) {
    throw new KeyturnError('INVALID_STATE', `${period} has not ended yet. Close it when the month is over`, {
      details: { period, ends_at: monthOf(period).to.toISOString() },
    })
  }
  const window = { from: found.window.from, to: running ? settled : found.window.to }
  const proof = await readProof(tx, networks, merchantId, window.to, running)
  const checklist = await readChecklist(tx, merchantId, window, found.followsClosed, proof)
  requireGreen(period, checklist)

  // The period before has a statement by now, and what ran beside its close has ended: this period's will be whole.
  await noteLate(tx, merchantId)
  const trialBalance = await readTrialBalance(tx, networks, merchantId, window.to)
  const id = newId('pcl')
  const now = Date.now()
  const intent: PeriodCloseIntent = {
    version: 1,
    kind: 'period_close',
    merchant: merchantId,
    close: id,
    period,
    from: window.from.toISOString(),
    to: window.to.toISOString(),
    trial_balance: trialBalance,
    proof,
    hash: periodHash({ period, trial_balance: trialBalance, proof }),
    cool_down_seconds: 0,
    initiator: request.initiator,
    created_at: new Date(now).toISOString(),
    expires_at: new Date(now + request.expiryMs).toISOString(),
  }
  await insertControlChange(tx, { id, intent, actor: request.actor, coolDownMs: 0 })
  const run = await startReconciliation(tx, {
    merchantId,
    cause: 'period',
    scope: RECONCILIATION_SCOPES,
    networks: null,
    atBlock: null,
    createdBy: request.initiator,
    actor: request.actor,
    mostOpen: request.mostRuns,
  })
  await tx`
    INSERT INTO periods (merchant_id, period, status, change_id, run_id, from_at, to_at, checklist, trial_balance, proof, hash)
    VALUES (${merchantId}, ${period}, 'closing', ${id}, ${run.id}, ${window.from}, ${window.to}, ${json(tx, checklist)},
            ${json(tx, trialBalance)}, ${json(tx, proof)}, ${intent.hash})
    ON CONFLICT (merchant_id, period) DO UPDATE SET
      status = excluded.status, change_id = excluded.change_id, run_id = excluded.run_id, from_at = excluded.from_at, to_at = excluded.to_at,
      checklist = excluded.checklist, trial_balance = excluded.trial_balance, proof = excluded.proof,
      hash = excluded.hash, updated_at = clock_timestamp()`
  await setFence(tx, merchantId)
  return { intent, run }
}

async function requireOpen(tx: Transaction, { period, row }: FoundPeriod, merchantId: string): Promise<void> {
  if (row === null || row.status === 'open') {
    const pending = await findPendingChange(tx, merchantId, period)
    if (!pending) return
  }
  throw new KeyturnError(
    'INVALID_STATE',
    row?.status === 'closed'
      ? `${period} is closed already`
      : `The close of ${period} waits for its approvals`,
    { details: { period, status: row?.status ?? 'open' } },
  )
}

function requireGreen(period: string, checklist: readonly ChecklistItem[]): void {
  if (isGreen(checklist)) return
  const red = checklist.filter(({ ok }) => !ok)
  const unproven = red.find(({ name }) => name === 'unproven_networks')
  const advice = unproven
    ? `. Configure ${unproven.examples.join(', ')} again and let it be scanned, so that a block proves the month`
    : ''
  throw new KeyturnError(
    'INVALID_STATE',
    `${period} cannot be closed: ${red.map(({ name }) => name).join(', ')}. See details.checklist${advice}`,
    {
      details: { period, checklist },
    },
  )
}
