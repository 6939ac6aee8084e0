/** Describes, for the operator, what a subject of approvals waits for. */

/** Returns, for example, `Waiting for 1 more approval of 2; expires 2026-03-01 12:00 UTC`. */
export function describeApprovals(given: number, required: number, expiresAt: string): string {
  const missing = Math.max(1, required - given)
  return `Waiting for ${missing} more ${missing === 1 ? 'approval' : 'approvals'} of ${required}; expires ${toMinute(expiresAt)}`
}

/** Formats an ISO time to the minute. */
export function toMinute(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`
}
