/** Lists the statuses of a webhook endpoint and the transitions between them. */

export const ENDPOINT_STATUSES = ['active', 'paused', 'disabled'] as const

/** Status of an endpoint that is not deleted. */
export type EndpointStatus = (typeof ENDPOINT_STATUSES)[number]

/**
 * Transitions of an endpoint.
 *
 * ```
 * active ─┬─► paused ───┬─► active       a person resumes it
 *         │             └─► disabled
 *         └─► disabled ───► active       a person enables it
 * ```
 *
 * A person pauses and disables endpoints. One that answers 410 is disabled at once.
 */
export const ENDPOINT_TRANSITIONS: Readonly<Record<EndpointStatus, readonly EndpointStatus[]>> = {
  active: ['paused', 'disabled'],
  paused: ['active', 'disabled'],
  disabled: ['active'],
}

/**
 * Why an endpoint fails: it answered 410 and is disabled next, or its deliveries failed in a row and its circuit
 * is open.
 */
export const FAILING_REASONS = ['gone', 'circuit_open'] as const

/** Why an endpoint is disabled: it answered 410, or a person requested it. */
export const DISABLED_REASONS = ['gone', 'requested'] as const

export type DisabledReason = (typeof DISABLED_REASONS)[number]
