/** Which errors of Temporal's client say that the server cannot be used now, not that it refuses this one call. */

import { NamespaceNotFoundError } from '@temporalio/client'

/**
 * gRPC: CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND (of the namespace), PERMISSION_DENIED, RESOURCE_EXHAUSTED, ABORTED,
 * UNAVAILABLE, UNAUTHENTICATED.
 */
const OUTAGE_CODES: ReadonlySet<unknown> = new Set([1, 4, 5, 7, 8, 10, 14, 16])
/** The client wraps the gRPC error; no chain is longer than this. */
const MOST_CAUSES = 5

/** Whether trying another row now would end the same way. */
export function isTemporalOutage(error: unknown): boolean {
  let cause: unknown = error
  for (let depth = 0; depth < MOST_CAUSES && typeof cause === 'object' && cause !== null; depth++) {
    // The client gives this one without its code.
    if (cause instanceof NamespaceNotFoundError) return true
    if ('code' in cause && OUTAGE_CODES.has(cause.code)) return true
    cause = 'cause' in cause ? cause.cause : undefined
  }
  return false
}

/** Why Temporal refused a call, for people: its client gives the server's reason as the cause. */
export function describeRefusal(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
