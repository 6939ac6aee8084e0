/** Waits for a commit of another process, by a Postgres notification and with a time-out as the safety net. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable, Sql } from './connect.js'

/**
 * Channels. `signing_request`: a signer has a new request (key: the signer's id). `signing_answer`: a signer
 * has answered (key: the request's id).
 */
export type NoticeChannel = 'signing_request' | 'signing_answer'

type Waiters = Map<string, Set<() => void>>
/** Listeners by pool and channel. Each has one connection, opened at the first wait. */
const listeners = new WeakMap<Sql, Map<NoticeChannel, Waiters>>()

/** Wakes the waits for `key` when the transaction commits. */
export async function notify(sql: Queryable, channel: NoticeChannel, key: string): Promise<void> {
  await notice(sql, channel, key)
}

/** Returns the statement that does so, for one that also makes the change. */
export function notice(sql: Queryable, channel: NoticeChannel, key: string): PendingQuery<Row[]> {
  return sql`SELECT pg_notify(${channel}, ${key})`
}

/** Resolves after a notification of `key`, after `milliseconds`, or when `signal` aborts. The rows say which it was. */
export async function waitForNotice(
  sql: Sql,
  channel: NoticeChannel,
  key: string,
  milliseconds: number,
  signal?: AbortSignal,
): Promise<void> {
  const waiters = listen(sql, channel)
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      const waiting = waiters.get(key)
      waiting?.delete(done)
      if (waiting?.size === 0) waiters.delete(key)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    if (signal?.aborted) return done()
    signal?.addEventListener('abort', done, { once: true })
    const waiting = waiters.get(key)
    if (waiting) waiting.add(done)
    else waiters.set(key, new Set([done]))
  })
}

function listen(sql: Sql, channel: NoticeChannel): Waiters {
  const channels = listeners.get(sql) ?? new Map<NoticeChannel, Waiters>()
  listeners.set(sql, channels)
  const known = channels.get(channel)
  if (known) return known
  const waiters: Waiters = new Map()
  channels.set(channel, waiters)
  sql
    .listen(channel, (key) => {
      for (const wake of [...(waiters.get(key) ?? [])]) wake()
    })
    // Without notifications a wait lasts until its time-out, and the next wait tries to listen again.
    .catch(() => channels.delete(channel))
  return waiters
}
