/**
 * One batch: one round of approvals, then a withdrawal's workflow for each of its parts. The rows are the
 * truth.
 */

import {
  condition,
  continueAsNew,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { BatchActivities, BatchPartsActivities, BatchProgress } from '../activities/payouts/batch.js'
import { assertNever } from '../domain/assert-never.js'
import {
  type BatchStage,
  type BatchStatus,
  type ItemCounts,
  isBatchFinal,
} from '../domain/payouts/batch-status.js'
import type { BatchInput } from '../temporal/inputs.js'
import { SEARCH_ATTRIBUTE } from '../temporal/search-attributes.js'
import { describeApprovals, toMinute } from './describe-approvals.js'

/** A decision was stored. Only the stored rows are counted. */
const decide = defineSignal('decide')
/** A person cancelled the batch. */
const cancel = defineSignal('cancel')
/** A person reviewed the batch. */
const reviewed = defineSignal('reviewed')
/** A part was sent, or has ended, so the next one may start. */
export const partMoved = defineSignal('partMoved')

export interface BatchResult {
  readonly stage: BatchStage
  readonly status: BatchStatus
  readonly counts: ItemCounts
}

const MINUTE = 60_000
/** Longest time without a poll of the rows, in case a signal is lost. */
const LOOK_MS = 10 * MINUTE
/** Pause after a part moved: parts move often, and one poll serves all that moved within a second. */
const PAUSE_MS = 1_000

// No step is ever given up: it is retried until it succeeds.
const { advanceBatch } = proxyLocalActivities<BatchActivities>({
  startToCloseTimeout: '20s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})
const { startBatchParts } = proxyActivities<BatchPartsActivities>({
  startToCloseTimeout: '1m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
  summary: 'Starts the next payments',
})

/** Takes one batch to its end. It goes on from whichever stage the row is in. */
export async function batch(input: BatchInput): Promise<BatchResult> {
  let signals = 0
  let shown: BatchStage | null = null
  const wake = () => {
    signals++
  }
  for (const signal of [decide, cancel, reviewed, partMoved]) setHandler(signal, wake)

  for (;;) {
    const seen = signals
    const row = await advanceBatch(input.id, new Date().toISOString())
    if (row.stage !== shown) upsertSearchAttributes([{ key: SEARCH_ATTRIBUTE.stage, value: row.stage }])
    shown = row.stage
    const text = describe(input, row)
    setCurrentDetails(`**${input.title}** on ${input.network}\n\n${text}`)
    if (isBatchFinal(row.stage)) return { stage: row.stage, status: row.status, counts: row.counts }
    if (row.unstarted > 0) await startBatchParts(input.id)
    // Everything that was signalled is in the rows, so a new run misses nothing.
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof batch>(input)
    await condition(() => signals !== seen, waitMs(input, row), { summary: text.slice(0, 200) })
    if (row.stage === 'approved') await condition(() => false, PAUSE_MS, { summary: 'Others may move too' })
  }
}

function waitMs(input: BatchInput, row: BatchProgress): number {
  if (row.stage === 'approved') return LOOK_MS
  return Math.max(1, Math.min(LOOK_MS, Date.parse(input.expiresAt) - Date.now()))
}

function describe(input: BatchInput, row: BatchProgress): string {
  switch (row.stage) {
    case 'requested':
    case 'pending_review':
      return `Waiting for a manual review; expires ${toMinute(input.expiresAt)}`
    case 'pending_approval':
      return describeApprovals(row.approvals, row.required, input.expiresAt)
    case 'approved':
      return `Paying: ${countsOf(row.counts)}`
    case 'completed':
      return `${row.status}: ${countsOf(row.counts)}`
    case 'rejected':
    case 'expired':
    case 'cancelled':
      return `${row.stage}: ${row.failure ?? 'by request'}`
    default:
      return assertNever(row.stage)
  }
}

/** For example `3 processing, 20 confirmed, 2 failed`. */
function countsOf(counts: ItemCounts): string {
  return Object.entries(counts)
    .filter(([, items]) => items > 0)
    .map(([status, items]) => `${items} ${status}`)
    .join(', ')
}
