/**
 * Reads and writes `LOCKED`. While it exists nothing is signed, since the journal may lack a part of what
 * was.
 */

import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { isIsoTime } from '../../domain/iso-time.js'
import type { JournalPosition } from '../journal/journal.js'
import type { Home } from './home.js'
import { writeFileAtomically } from './write-file-atomically.js'

const position = z.object({
  head: z.string().regex(/^[0-9a-f]{64}$/),
  sequence: z.int().min(0),
  /** Time of the entry. Absent where it is not known. */
  at: z.string().refine(isIsoTime).optional(),
})
const lockSchema = z.object({
  /** Party whose knowledge the journal contradicts. */
  by: z.enum(['platform', 'witness']).default('platform'),
  how: z.enum([
    'behind',
    'differs',
    'witness_missing',
    'witness_unreadable',
    'witness_behind',
    'journal_missing',
  ]),
  /** Position that the journal should hold. `null` where it is not known. */
  known: position.nullable(),
  own: position,
  reason: z.string().optional(),
})

export type JournalLock = z.infer<typeof lockSchema>

/** Writes the lock, unless there is one: the first reason stays. @returns Whether it was written now. */
export function lockHome(home: Home, lock: Omit<JournalLock, 'own'>, own: JournalPosition): boolean {
  if (existsSync(home.locked)) return false
  const { head, sequence } = own
  writeFileAtomically(home.locked, `${JSON.stringify({ ...lock, own: { head, sequence } }, null, 2)}\n`)
  return true
}

/** Reads the lock. @returns `null` where there is none. */
export function readLock(home: Home): JournalLock | null {
  return existsSync(home.locked) ? lockSchema.parse(JSON.parse(readFileSync(home.locked, 'utf8'))) : null
}
