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
}

/** Time that a process has after it lost its database; then the test takes it for killed. */
const LAST_WORDS_MS = 100

/**
 * Runs a life once undisturbed, then once for each side of each commit. @returns The commits of an
 * undisturbed life.
 */
export async function atEveryCommit<Subject>(
  database: TestDatabase,
  { prepare, live, facts }: Life<Subject>,
): Promise<number> {
  const undisturbed = await prepare()
  const whole = await openCutWire(database.url, database.sql, null)
  await live(whole.sql, undisturbed, 1)
  await whole.close()
  const expected = await facts(undisturbed)
  const commits = whole.commits()
  const cuts: Cut[] = Array.from({ length: commits }, (_, index) => index + 1).flatMap((commit) => [
    { commit, side: 'before' },
    { commit, side: 'after' },
  ])
  for (const cut of cuts) {
    const subject = await prepare()
    const wire = await openCutWire(database.url, database.sql, cut)
    const ended = live(wire.sql, subject, 1).then(
      () => {},
      () => {},
    )
    // A life with fewer commits than the one before is never killed; the expectation below notices that.
    await Promise.race([wire.dead, ended])
    if (wire.commits() >= cut.commit) await wire.dead
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))])
    await wire.close()
    expect(wire.commits(), 'commits of a life like the one before').toBeGreaterThanOrEqual(cut.commit)
    await live(database.sql, subject, 2)
    expect({ cut, facts: await facts(subject) }).toEqual({ cut, facts: expected })
  }
  return commits
}
