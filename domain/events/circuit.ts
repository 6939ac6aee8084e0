/** Lists the states of an endpoint's circuit, and the numbers that move it. */

/** States of a circuit. */
export const CIRCUIT_STATES = ['closed', 'open', 'half_open'] as const

export type CircuitState = (typeof CIRCUIT_STATES)[number]

/**
 * Transitions of a circuit.
 *
 * ```
 * closed ──► open ─┬─► half_open ─┬─► closed      every waiting delivery was sent
 *                  │              └─► open        three deliveries in a row failed
 *                  └─► closed                     no delivery waits any longer
 * ```
 */
export const CIRCUIT_TRANSITIONS: Readonly<Record<CircuitState, readonly CircuitState[]>> = {
  closed: ['open'],
  open: ['half_open', 'closed'],
  half_open: ['closed', 'open'],
}

/** Deliveries that fail in a row, without a success, before the circuit opens. */
export const FAILURES_TO_OPEN = 20
/** Attempts that fail in a row while the waiting deliveries are sent, before the circuit opens again. */
export const FAILURES_TO_OPEN_AGAIN = 3
/**
 * Of as many probes that the endpoint answers with a failure, the last goes to another delivery than the oldest. The
 * oldest may be the cause: a receiver that fails with one event alone must not be cut off until that event's
 * window is over.
 */
const PROBES_OF_OLDEST = 12

/**
 * Returns which of the waiting deliveries the next probe takes, 0 for the oldest.
 *
 * @param answered - Probes since the circuit opened that the endpoint answered with a failure.
 */
export function probeTurn(answered: number): number {
  const next = answered + 1
  return next % PROBES_OF_OLDEST === 0 ? next / PROBES_OF_OLDEST : 0
}

/** Attempts that time out one after another within the span of failures. */
const TIMEOUTS = 4

/** Durations, in milliseconds, that decide when a circuit opens and when it probes. */
export interface CircuitTimes {
  /** Span within which the failures must lie. */
  readonly spanMs: number
  /** Pause between two probes. */
  readonly intervalMs: number
}

/**
 * Returns the durations of circuits. The failures must lie within one retry interval, or within four time-outs
 * if those take longer, so that an endpoint that hangs counts as well with a short interval.
 */
export function circuitTimes(retryIntervalMs: number, timeoutMs: number): CircuitTimes {
  return { spanMs: Math.max(retryIntervalMs, TIMEOUTS * timeoutMs), intervalMs: retryIntervalMs }
}
