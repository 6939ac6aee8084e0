/** Waits for a commit of another process, by a Postgres notification and with a time-out as the safety net. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable, Sql } from './connect.js'

/**
 * Channels. `signing_request`: a signer has a new request (key: the signer's id). `signing_answer`: a signer
 * has answered, or the request was taken back (key: the payout's id). `payment_changed`: a payment was
 * written (key: its id).
 */
export type NoticeChannel = 'signing_request' | 'signing_answer' | 'payment_changed'

/** Watches by key. */
type Watches = Map<string, Set<() => void>>
/** The watches of a channel, and whether its connection listens or is about to. */
interface Listener {
  readonly watches: Watches
  isListening: boolean
}
/** Listeners by pool and channel. Each has one connection, opened at the first watch. */
const listeners = new WeakMap<Sql, Map<NoticeChannel, Listener>>()

/** A watch over the notifications of one key. */
export interface NoticeWatch {
  /**
   * Resolves after a notification, after `milliseconds`, or when `signal` aborts. Resolves at once when a
   * notification came since the last wait: begin the watch, read the rows, then wait, and none is missed.
   * The rows say which it was.
   */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>
  /** Ends the watch. */
  end(): void
}

/** Wakes the waits for `key` when the transaction commits. */
export async function notify(sql: Queryable, channel: NoticeChannel, key: string): Promise<void> {
  await notice(sql, channel, key)
}

/** Returns the statement that does so, for one that also makes the change. */
export function notice(sql: Queryable, channel: NoticeChannel, key: string): PendingQuery<Row[]> {
  return sql`SELECT pg_notify(${channel}, ${key})`
}

/** Begins a watch over the notifications of `key`. */
export function watchNotices(sql: Sql, channel: NoticeChannel, key: string): NoticeWatch {
  const watches = listen(sql, channel)
  let isNotified = false
  let wake: (() => void) | null = null
  const notified = () => {
    isNotified = true
    wake?.()
  }
  const watching = watches.get(key)
  if (watching) watching.add(notified)
  else watches.set(key, new Set([notified]))
  return {
    async wait(milliseconds, signal) {
      if (!isNotified && !signal?.aborted) {
        await new Promise<void>((resolve) => {
          const done = () => {
            clearTimeout(timer)
            signal?.removeEventListener('abort', done)
            wake = null
            resolve()
          }
          const timer = setTimeout(done, milliseconds)
          signal?.addEventListener('abort', done, { once: true })
          wake = done
        })
      }
      isNotified = false
    },
    end() {
      const left = watches.get(key)
      left?.delete(notified)
      if (left?.size === 0) watches.delete(key)
    },
  }
}

function listen(sql: Sql, channel: NoticeChannel): Watches {
  const channels = listeners.get(sql) ?? new Map<NoticeChannel, Listener>()
  listeners.set(sql, channels)
  const listener = channels.get(channel) ?? { watches: new Map(), isListening: false }
  channels.set(channel, listener)
  const { watches } = listener
  if (listener.isListening) return watches
  listener.isListening = true
  const wake = (keys: Iterable<string>) => {
    for (const key of [...keys]) for (const notified of [...(watches.get(key) ?? [])]) notified()
  }
  sql
    .listen(
      channel,
      (key) => wake([key]),
      // What was notified before the connection listened, or while it was lost, did not arrive.
      () => wake(watches.keys()),
    )
    // Without notifications a wait lasts until its time-out, and the next watch tries to listen again.
    .catch(() => {
      listener.isListening = false
    })
  return watches
}

/**
 * Follows a channel on a connection of its own.
 *
 * @param onNotice - Takes the key of each notification.
 * @param onConnect - Runs after each connect, because notifications before it may have been lost.
 * @returns A function that stops following.
 */
export async function followNotices(
  sql: Sql,
  channel: NoticeChannel,
  onNotice: (key: string) => void,
  onConnect: () => void,
): Promise<() => Promise<void>> {
  const { unlisten } = await sql.listen(channel, onNotice, onConnect)
  return unlisten
}
