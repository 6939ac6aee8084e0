/** Separates an outage of the Temporal server from its refusal of one call. */

import { NamespaceNotFoundError } from '@temporalio/client'

/**
 * gRPC codes of an outage: CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND (of the namespace), PERMISSION_DENIED,
 * RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE, UNAUTHENTICATED.
 */
const OUTAGE_CODES: ReadonlySet<unknown> = new Set([1, 4, 5, 7, 8, 10, 14, 16])
/**
 * Depth of the search for a code: the client wraps the gRPC error in a chain of causes, which is never
 * longer.
 */
const MOST_CAUSES = 5

/** Returns whether the server is out of reach, so that a call for another row would fail in the same way. */
export function isTemporalOutage(error: unknown): boolean {
  let cause: unknown = error
  for (let depth = 0; depth < MOST_CAUSES && typeof cause === 'object' && cause !== null; depth++) {
    // The client throws this error without its gRPC code.
    if (cause instanceof NamespaceNotFoundError) return true
    if ('code' in cause && OUTAGE_CODES.has(cause.code)) return true
    cause = 'cause' in cause ? cause.cause : undefined
  }
  return false
}

/** Describes for people why Temporal refused a call. Its client gives the server's reason as the cause. */
export function describeRefusal(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
