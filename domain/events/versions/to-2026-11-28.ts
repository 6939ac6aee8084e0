/** Writes events of the version 2026-11-29 in the version 2026-11-28. */

import type { DownConversion } from './down-conversion.js'

/** Severities of 2026-11-28 by those of the exception queue. */
const SEVERITY: Readonly<Record<string, string>> = {
  low: 'info',
  medium: 'warning',
  high: 'critical',
  critical: 'critical',
}

/** Gives an exception its finer word as `kind` and its severity of three, and leaves out what the queue added. */
export const toVersion2: DownConversion = {
  'exception.raised': ({ detail, in_queue: _queued, subject_type: _type, due_at: _due, ...exception }) => ({
    ...exception,
    kind: detail ?? exception.kind,
    severity: SEVERITY[String(exception.severity)] ?? exception.severity,
  }),
}
