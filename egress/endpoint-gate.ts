/**
 * Limits the attempts that one process has under way to an endpoint. An endpoint that hangs holds each slot
 * for the whole time-out, so each time-out halves its slots. Other endpoints never wait for it.
 */

/** Answer of the gate: the attempt may go now (and must `leave`), or must come back later. */
export type Pass =
  | { readonly kind: 'go'; leave: Leave }
  | { readonly kind: 'later'; readonly delayMs: number }

/** Ends an attempt. @param failed - Whether the endpoint did not accept the event. */
type Leave = (timedOut: boolean, failed?: boolean) => void

/** Place of an attempt that runs within a workflow's task. It ends by `leave` or `cancel`. */
export interface Entry {
  leave: Leave
  /** Gives the place back without an attempt. */
  cancel(): void
  /** Notes that the attempt goes on outside of the workflow's task, because it is slow. */
  overdue(): void
}

export interface EndpointGate {
  enter(endpointId: string): Promise<Pass>
  /**
   * Admits an attempt that runs within a workflow's task. If the endpoint, the merchant or the process has too
   * many such attempts under way, it waits a moment, because a quick endpoint soon frees a place.
   *
   * @returns `null` if there is no place, or if the last attempt at the endpoint failed or was slow.
   */
  enterAtOnce(endpointId: string, merchantId: string): Promise<Entry | null>
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
  /** Attempts within workflow tasks: of an endpoint, of a merchant, and of all; and those that wait for a place. */
  readonly atOnce?: AtOnceLimits
  /** Longest delay of an attempt that is sent back: the retry interval. */
  readonly maxDelayMs: number
  readonly now?: () => number
}

interface AtOnceLimits {
  readonly endpoint: number
  readonly merchant: number
  readonly all: number
  readonly waiting: number
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
/** Duration from which an attempt is slow. It is the time that one may take within a workflow's task. */
const SLOW_MS = 1_000
/** Endpoints in trouble that a process remembers. */
const MOST_TROUBLED = 10_000
/**
 * Default limits of attempts within workflow tasks. Together they stay below the slots for workflow tasks and
 * local activities of a worker, so that a merchant whose endpoints hang never holds them all.
 */
export const AT_ONCE: AtOnceLimits = { endpoint: 16, merchant: 20, all: 28, waiting: 8 }
/** Longest wait for a place within workflow tasks. */
const PLACE_WAIT_MS = 250
/** Age of an attempt under way from which its endpoint is not quick, so that no other waits for its place. */
const QUICK_MS = 500
/** Weight of the latest duration in the smoothed average. */
const SMOOTHING = 0.2

/** Creates a gate. It keeps a lane only for endpoints that have attempts under way or that hang. */
export function createEndpointGate(options: EndpointGateOptions): EndpointGate {
  const { most = 64, least = 16, patienceMs = 1_000, maxDelayMs, now = Date.now } = options
  const atOnce = options.atOnce ?? AT_ONCE
  const lanes = new Map<string, Lane>()
  /** Endpoints whose last attempt failed or was slow, the oldest first. */
  const troubled = new Set<string>()
  const places = createPlaces()
  /** Attempts that wait for a place within workflow tasks, the oldest first. */
  const placeless = new Set<() => void>()
  const wakePlaceless = (): void => {
    for (const wake of placeless) wake()
  }

  const laneOf = (endpointId: string): Lane => {
    const lane = lanes.get(endpointId) ?? {
      inFlight: new Map(),
      limit: most,
      averageMs: 0,
      nextTurnAt: 0,
      waiting: [],
    }
    lanes.set(endpointId, lane)
    return lane
  }

  const note = (endpointId: string, trouble: boolean): void => {
    troubled.delete(endpointId)
    if (!trouble) return
    troubled.add(endpointId)
    const [oldest] = troubled
    if (troubled.size > MOST_TROUBLED && oldest !== undefined) troubled.delete(oldest)
  }

  const free = (endpointId: string, lane: Lane): void => {
    while (lane.inFlight.size < lane.limit) {
      const next = lane.waiting.shift()
      if (!next) break
      next()
    }
    if (lane.inFlight.size === 0 && lane.limit === most) lanes.delete(endpointId)
    wakePlaceless()
  }

  const admit = (endpointId: string, lane: Lane): Extract<Pass, { kind: 'go' }> & { cancel(): void } => {
    const ticket = Symbol('attempt')
    const started = now()
    lane.inFlight.set(ticket, started)
    return {
      kind: 'go',
      leave(timedOut, failed = timedOut) {
        if (!lane.inFlight.delete(ticket)) return
        const tookMs = now() - started
        note(endpointId, failed || tookMs > SLOW_MS)
        lane.averageMs += SMOOTHING * (tookMs - lane.averageMs)
        lane.limit = timedOut ? Math.max(least, Math.floor(lane.limit / 2)) : Math.min(most, lane.limit + 1)
        free(endpointId, lane)
      },
      cancel() {
        if (lane.inFlight.delete(ticket)) free(endpointId, lane)
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

  const enterNow = (endpointId: string, merchantId: string): Entry | null => {
    if (troubled.has(endpointId)) return null
    const { inFlight, limit } = lanes.get(endpointId) ?? { inFlight: { size: 0 }, limit: most }
    if (inFlight.size >= Math.min(limit, atOnce.endpoint)) return null
    const leavePlace = places.take(merchantId, atOnce)
    if (leavePlace === null) return null
    const pass = admit(endpointId, laneOf(endpointId))
    return {
      leave(timedOut, failed) {
        leavePlace()
        pass.leave(timedOut, failed)
      },
      cancel() {
        leavePlace()
        pass.cancel()
      },
      overdue() {
        leavePlace()
        note(endpointId, true)
        wakePlaceless()
      },
    }
  }

  /** Returns whether a place of the endpoint may be free soon. */
  const isQuick = (endpointId: string): boolean => {
    if (troubled.has(endpointId)) return false
    const lane = lanes.get(endpointId)
    const [oldest = now()] = lane?.inFlight.values() ?? []
    return (lane?.limit ?? most) === most && now() - oldest < QUICK_MS
  }

  /** Waits until an attempt ends, and at most until then. */
  const untilOneEnds = (deadline: number): Promise<void> =>
    new Promise((resolve) => {
      const wake = () => {
        clearTimeout(late)
        placeless.delete(wake)
        resolve()
      }
      const late = setTimeout(wake, deadline - now())
      placeless.add(wake)
    })

  return {
    async enter(endpointId) {
      const lane = laneOf(endpointId)
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
    async enterAtOnce(endpointId, merchantId) {
      const deadline = now() + PLACE_WAIT_MS
      for (;;) {
        const entry = enterNow(endpointId, merchantId)
        if (entry !== null || now() >= deadline) return entry
        if (placeless.size >= atOnce.waiting || !isQuick(endpointId)) return null
        await untilOneEnds(deadline)
      }
    },
  }
}

/** Counts the places within workflow tasks that merchants have taken. */
function createPlaces() {
  const taken = new Map<string, number>()
  let all = 0
  return {
    /** @returns What gives the place back, once. `null` if the merchant or the process has no place left. */
    take(merchantId: string, most: { readonly merchant: number; readonly all: number }): (() => void) | null {
      const before = taken.get(merchantId) ?? 0
      if (before >= most.merchant || all >= most.all) return null
      taken.set(merchantId, before + 1)
      all += 1
      let left = false
      return () => {
        if (left) return
        left = true
        all -= 1
        const rest = (taken.get(merchantId) ?? 1) - 1
        if (rest === 0) taken.delete(merchantId)
        else taken.set(merchantId, rest)
      }
    },
  }
}
