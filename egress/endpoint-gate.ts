/**
 * Limits the attempts that one process has under way to an endpoint. An endpoint that hangs holds each slot
 * for the whole time-out, so each time-out halves its slots. Other endpoints never wait for it.
 */

/** Answer of the gate: the attempt may go now (and must `leave`), or must come back later. */
export type Pass =
  | { readonly kind: 'go'; leave(timedOut: boolean): void }
  | { readonly kind: 'later'; readonly delayMs: number }

export interface EndpointGate {
  enter(endpointId: string): Promise<Pass>
}

export interface EndpointGateOptions {
  /** Slots of an endpoint that answers. Default 64. */
  readonly most?: number
  /** Slots of an endpoint that hangs. Default 16. */
  readonly least?: number
  /**
   * Time that an attempt waits for a slot of an endpoint that answers, before it is sent back. Default 1 s.
   */
  readonly patienceMs?: number
  /** Longest delay of an attempt that is sent back: the retry interval. */
  readonly maxDelayMs: number
  readonly now?: () => number
}

interface Lane {
  /** Start time of each attempt under way, oldest first. */
  readonly inFlight: Map<symbol, number>
  limit: number
  /** Smoothed duration of an attempt, from which the turns of attempts that are sent back are computed. */
  averageMs: number
  nextTurnAt: number
  readonly waiting: (() => void)[]
}

const MIN_DELAY_MS = 100
/** Weight of the latest duration in the smoothed average. */
const SMOOTHING = 0.2

/** Creates a gate. It keeps a lane only for endpoints that have attempts under way or that hang. */
export function createEndpointGate(options: EndpointGateOptions): EndpointGate {
  const { most = 64, least = 16, patienceMs = 1_000, maxDelayMs, now = Date.now } = options
  const lanes = new Map<string, Lane>()

  const admit = (endpointId: string, lane: Lane): Pass => {
    const ticket = Symbol('attempt')
    const started = now()
    lane.inFlight.set(ticket, started)
    return {
      kind: 'go',
      leave(timedOut) {
        if (!lane.inFlight.delete(ticket)) return
        lane.averageMs += SMOOTHING * (now() - started - lane.averageMs)
        lane.limit = timedOut ? Math.max(least, Math.floor(lane.limit / 2)) : Math.min(most, lane.limit + 1)
        while (lane.inFlight.size < lane.limit) {
          const next = lane.waiting.shift()
          if (!next) break
          next()
        }
        if (lane.inFlight.size === 0 && lane.limit === most) lanes.delete(endpointId)
      },
    }
  }

  const sendBack = (lane: Lane): Pass => {
    // Before the first attempt has ended, the best estimate of its duration is the time that it has taken so
    // far.
    const [oldest] = lane.inFlight.values()
    const soFarMs = oldest === undefined ? 0 : now() - oldest
    const turnMs = Math.max(lane.averageMs, soFarMs, MIN_DELAY_MS) / lane.limit
    lane.nextTurnAt = Math.max(now() + MIN_DELAY_MS, lane.nextTurnAt + turnMs)
    const delayMs = lane.nextTurnAt - now()
    // All turns beyond the longest delay would fall on one moment, so begin a new round over the interval.
    if (delayMs > maxDelayMs) lane.nextTurnAt = now() + MIN_DELAY_MS
    return { kind: 'later', delayMs: Math.round(Math.min(delayMs, maxDelayMs)) }
  }

  return {
    async enter(endpointId) {
      const lane: Lane = lanes.get(endpointId) ?? {
        inFlight: new Map(),
        limit: most,
        averageMs: 0,
        nextTurnAt: 0,
        waiting: [],
      }
      lanes.set(endpointId, lane)
      if (lane.inFlight.size < lane.limit) return admit(endpointId, lane)
      if (lane.limit < most || lane.waiting.length >= most) return sendBack(lane)
      return new Promise<Pass>((resolve) => {
        const patience = setTimeout(() => {
          lane.waiting.splice(lane.waiting.indexOf(turn), 1)
          resolve(sendBack(lane))
        }, patienceMs)
        const turn = () => {
          clearTimeout(patience)
          resolve(admit(endpointId, lane))
        }
        lane.waiting.push(turn)
      })
    },
  }
}
