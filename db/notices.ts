/** Waiting for something that another process commits: Postgres notifications, with a time-out as the safety net. */

import type { Queryable, Sql } from './connect.js'

/** `signing_request`: something is to be signed (key: signer's id); `signing_answer`: a signer answered (key: request's id). */
export type NoticeChannel = 'signing_request' | 'signing_answer'

type Waiters = Map<string, Set<() => void>>
/** One listening connection a pool and channel, opened at the first wait. */
const listeners = new WeakMap<Sql, Map<NoticeChannel, Waiters>>()

/** Wakes whoever waits for `key`, when the transaction commits. */
export async function notify(sql: Queryable, channel: NoticeChannel, key: string): Promise<void> {
  await sql`SELECT pg_notify(${channel}, ${key})`
}

/** Resolves when `key` was notified, after `milliseconds`, or when `signal` aborts: look at the rows to know which. */
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
    // Without notifications every wait lasts to its time-out; the next one tries to listen again.
    .catch(() => channels.delete(channel))
  return waiters
}
