/** Kills a process at every commit that it makes, on either side, and lets another one carry on. */

import { expect } from 'vitest'
import type { TestDatabase } from '../../support/database.js'
import { type Cut, openCutWire } from './cut-wire.js'

export interface Life<Subject> {
  /** Prepares a new subject: a deposit that will come, a withdrawal to pay. */
  prepare(): Promise<Subject>
  /**
   * Does all that processes do with the subject, to its end. Finds in the database what was done before.
   *
   * @param process - 1 for the first process, 2 for the one after it.
   */
  live(sql: TestDatabase['sql'], subject: Subject, process: 1 | 2): Promise<unknown>
  /** Reads what must be equal at whichever commit the first process was killed. */
  facts(subject: Subject): Promise<unknown>
  /** Processes that are killed one after another. With 2, the second one is killed at its first commit. */
  readonly deaths?: 1 | 2
}

/** Time that a process has after it lost its database; then the test takes it for killed. */
const LAST_WORDS_MS = 100

/**
 * Lives for one cut. A life that waits a moment longer than others may store why it waits, in a commit of its
 * own, so another life may end before the cut. It proves nothing about the cut, and another one follows.
 */
const MOST_LIVES = 10

/**
 * Runs a life once undisturbed, then until it is killed on each side of each commit.
 *
 * @returns The number of commits at which a life was killed.
 */
export async function atEveryCommit<Subject>(database: TestDatabase, life: Life<Subject>): Promise<number> {
  const undisturbed = await life.prepare()
  const whole = await openCutWire(database.url, database.sql, null)
  await life.live(whole.sql, undisturbed, 1)
  await whole.close()
  const expected = await life.facts(undisturbed)
  const commits = whole.commits()
  for (let commit = 1; commit <= commits; commit++) {
    for (const side of ['before', 'after'] as const) {
      // The undisturbed life was one of the longer ones, when no other one gets as far.
      if (!(await isKilled(database, life, { commit, side }, expected))) return commit - 1
    }
  }
  return commits
}

/** Runs lives until one is killed at the cut. @returns Whether one was. */
async function isKilled<Subject>(
  database: TestDatabase,
  { prepare, live, facts, deaths = 1 }: Life<Subject>,
  cut: Cut,
  expected: unknown,
): Promise<boolean> {
  for (let lives = 0; lives < MOST_LIVES; lives++) {
    const subject = await prepare()
    const killed = await liveUntil(database, (sql) => live(sql, subject, 1), cut)
    if (deaths === 2) await liveUntil(database, (sql) => live(sql, subject, 2), { ...cut, commit: 1 })
    await live(database.sql, subject, 2)
    expect({ cut, facts: await facts(subject) }).toEqual({ cut, facts: expected })
    if (killed) return true
  }
  return false
}

/** Runs a process until it ends or is killed at the cut. @returns Whether it was killed. */
async function liveUntil(
  database: TestDatabase,
  live: (sql: TestDatabase['sql']) => Promise<unknown>,
  cut: Cut,
): Promise<boolean> {
  const wire = await openCutWire(database.url, database.sql, cut)
  const ended = live(wire.sql).then(
    () => {},
    () => {},
  )
  await Promise.race([wire.dead, ended])
  const killed = wire.commits() >= cut.commit
  if (killed) await wire.dead
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))])
  await wire.close()
  return killed
}
