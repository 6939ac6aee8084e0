/** Writes events of the version 2026-11-29 in the version 2026-11-28. */

import type { DownConversion, VersionedData } from './down-conversion.js'

/** Severities of 2026-11-28 by those of the exception queue. */
const SEVERITY: Readonly<Record<string, string>> = {
  low: 'info',
  medium: 'warning',
  high: 'critical',
  critical: 'critical',
}

/** Leaves out why a person paused settlement, where a payout waits for that. */
function withoutReason(payout: VersionedData): VersionedData {
  if (typeof payout.waiting !== 'object' || payout.waiting === null) return payout
  const { reason: _reason, ...waiting } = payout.waiting as VersionedData
  return { ...payout, waiting }
}

/**
 * Gives an exception its finer word as `kind` and its severity of three, and leaves out what the queue and pauses
 * of settlement added.
 */
export const toVersion2: DownConversion = {
  'withdrawal.status_changed': withoutReason,
  'withdrawal.transaction_replaced': withoutReason,
  'movement.status_changed': withoutReason,
  'exception.raised': ({ detail, in_queue: _queued, subject_type: _type, due_at: _due, ...exception }) => ({
    ...exception,
    kind: detail ?? exception.kind,
    severity: SEVERITY[String(exception.severity)] ?? exception.severity,
  }),
}
