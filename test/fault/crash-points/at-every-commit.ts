/** Kills a process at every commit that it makes, on either side, and lets another one carry on. */

import { expect } from 'vitest'
import type { TestDatabase } from '../../support/database.js'
import { type Cut, openCutWire } from './cut-wire.js'

export interface Life<Subject> {
  /** Something new to live with: a deposit to come, a withdrawal to pay. */
  prepare(): Promise<Subject>
  /**
   * Everything that processes do with it, to its end; what was done before is found in the database.
   *
   * @param process - 1 for the first process, 2 for the one after it.
   */
  live(sql: TestDatabase['sql'], subject: Subject, process: 1 | 2): Promise<unknown>
  /** What is to be the same wherever the first process was killed. */
  facts(subject: Subject): Promise<unknown>
}

/** A process that has lost its database is not waited for: it was killed. */
const LAST_WORDS_MS = 100

/** @returns How many commits an undisturbed life has. */
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
    // One that needs fewer commits than the one before is never killed; that is noticed below.
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
