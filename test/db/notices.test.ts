/** Tests that a wait for another process's commit misses no notification. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NoticeWatch, notify, watchNotices } from '../../db/notices.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'

/** Longer than a test may take, so a wait that ends was woken. */
const NEVER_MS = 3_600_000

let database: TestDatabase

beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database.drop())

/** Begins a watch while the connection listens, of which nothing has been notified. */
async function listening(key: string): Promise<NoticeWatch> {
  await untilArrived()
  return watchNotices(database.sql, 'signing_answer', key)
}

/** Waits until a notification of another key has arrived, and so every earlier one. */
async function untilArrived(): Promise<void> {
  const watch = watchNotices(database.sql, 'signing_answer', 'arrived')
  await notify(database.sql, 'signing_answer', 'arrived')
  await watch.wait(NEVER_MS)
  watch.end()
}

async function isWoken(watch: NoticeWatch): Promise<boolean> {
  const waited = await Promise.race([watch.wait(NEVER_MS).then(() => 'woken'), untilArrived()])
  return waited === 'woken'
}

describe('watchNotices', () => {
  it('ends the next wait at once after a notification that came while nothing waited', async () => {
    const watch = await listening('payout_1')
    await notify(database.sql, 'signing_answer', 'payout_1')
    await untilArrived()
    expect(await isWoken(watch)).toBe(true)
    watch.end()
  })

  it('ends one wait for each time that it was notified, and none for another key', async () => {
    const watch = await listening('payout_2')
    await notify(database.sql, 'signing_answer', 'payout_3')
    expect(await isWoken(watch)).toBe(false)
    watch.end()
  })

  it('wakes every watch when its lost connection listens again', async () => {
    const watch = await listening('payout_4')
    const waiting = watch.wait(NEVER_MS)
    await database.sql`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND query ILIKE 'listen%'`
    await waiting
    watch.end()
  })
})
