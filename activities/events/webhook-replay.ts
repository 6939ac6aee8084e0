/** The activity of the workflow `webhookReplay`: sends past events to an endpoint again, a few at a time. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Context } from '@temporalio/activity'
import type { Sql } from '../../db/connect.js'
import { advanceReplay, type ReplayProgress } from '../../db/events/replays/advance-replay.js'
import { countMatches } from '../../db/events/replays/count-matches.js'
import { readRate, touchReplay } from '../../db/events/replays/late-replays.js'
import { storeCount } from '../../db/events/replays/store-count.js'

export interface WebhookReplayDependencies {
  readonly sql: Sql
}

/** State of a replay after the activity has advanced it. */
export type ReplayStep =
  | {
      readonly kind: 'ended'
      readonly status: 'completed' | 'cancelled' | 'failed' | 'unknown'
      readonly progress: string
    }
  /** The next step is due in `retryInMs`, 0 for at once. */
  | { readonly kind: 'running'; readonly retryInMs: number; readonly progress: string }

export interface WebhookReplayActivities {
  /** Advances a replay for some seconds. */
  advanceWebhookReplay(replayId: string): Promise<ReplayStep>
}

/** Time after which the activity returns, so that the history shows progress. */
const CHUNK_MS = 20_000
/** Deliveries under way at once of a replay without a rate, which also bounds those of a high rate. */
const MOST_OPEN = 32
/** Steps a second of a replay with a high rate. A lower rate takes one delivery a step. */
const STEPS_A_SECOND = 10
/** Pause between two looks at the deliveries under way, and the longest one, while nothing happens. */
const PAUSE_MS = 100
const LONG_PAUSE_MS = 1_000
/** Time without any progress after which a replay waits in its workflow. */
const IDLE_MS = 10_000
/** Interval at which a replay that waits is read again: its endpoint is paused, or what was sent is not answered. */
const WAIT_MS = 60_000

/** Creates the activity. */
export function createWebhookReplayActivities({ sql }: WebhookReplayDependencies): WebhookReplayActivities {
  return {
    advanceWebhookReplay: (replayId) => {
      const { cancellationSignal } = Context.current()
      return runReplay(sql, replayId, cancellationSignal)
    },
  }
}

/** Advances a replay until it ends, waits, or the time of an activity is over. */
export async function runReplay(
  sql: Sql,
  id: string,
  signal: AbortSignal,
  chunkMs = CHUNK_MS,
): Promise<ReplayStep> {
  const until = Date.now() + chunkMs
  const rate = await readRate(sql, id)
  let idleSince = Date.now()
  let last = ''
  for (;;) {
    signal.throwIfAborted()
    const began = Date.now()
    const progress =
      rate === null
        ? await advanceReplay(sql, id, MOST_OPEN, MOST_OPEN)
        : await advanceReplay(sql, id, Math.min(rate, MOST_OPEN), burstOf(rate))
    if (!progress) return { kind: 'ended', status: 'unknown', progress: 'There is no such replay' }
    const said = describe(progress)
    if (progress.status !== 'running' && (progress.open === 0 || Date.now() >= until)) {
      return { kind: 'ended', status: progress.status, progress: said }
    }
    if (progress.status === 'running' && !progress.counted) {
      await count(sql, id, signal)
      continue
    }
    const moved = progress.added > 0 || said !== last
    if (moved) idleSince = Date.now()
    last = said
    if (Date.now() >= until) return { kind: 'running', retryInMs: 0, progress: said }
    const idleMs = Date.now() - idleSince
    if (!progress.active && progress.status === 'running') {
      await touchReplay(sql, id)
      return {
        kind: 'running',
        retryInMs: WAIT_MS,
        progress: `${said}. The endpoint takes no deliveries now`,
      }
    }
    if (idleMs >= IDLE_MS) {
      await touchReplay(sql, id)
      return { kind: 'running', retryInMs: LONG_PAUSE_MS * 5, progress: said }
    }
    const pauseMs = progress.added > 0 ? pauseAfter(progress) : Math.min(LONG_PAUSE_MS, PAUSE_MS + idleMs / 4)
    await sleep(Math.max(0, pauseMs - (Date.now() - began)), undefined, { signal })
  }
}

/** Returns how many deliveries of a rate a step adds. */
const burstOf = (rate: number): number => Math.ceil(rate / STEPS_A_SECOND)

/** Returns the pause after deliveries were added: a whole second for as many as the rate, no matter how fast they are. */
function pauseAfter({ rate, added }: ReplayProgress): number {
  return rate === null ? PAUSE_MS : (1_000 * added) / rate
}

async function count(sql: Sql, id: string, signal: AbortSignal): Promise<void> {
  const { matched } = await countMatches(sql, id, () => {
    signal.throwIfAborted()
    return true
  })
  await storeCount(sql, id, matched)
}

function describe({ matched, sent, failed, counted, rate }: ReplayProgress): string {
  if (!counted) return 'Counts what is to be sent'
  const cap = rate === null ? '' : `, at most ${rate} a second`
  return `Sent ${sent} of ${matched} deliveries, ${failed} failed at first${cap}`
}
