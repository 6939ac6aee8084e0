/** Compares the journal with the position that its witness holds. */

import { compareJournal } from './compare-journal.js'
import { MAX_JUMP } from './entry.js'
import type { Journal, JournalPosition } from './journal.js'
import { type Witness, WitnessMismatch } from './witness.js'

/**
 * Result of the comparison, and the position that the witness holds. `null` where it holds none that can be
 * believed.
 */
export interface WitnessVerdict {
  readonly how: 'agrees' | 'behind' | 'differs' | 'witness_missing' | 'witness_unreadable' | 'witness_behind'
  readonly known: JournalPosition | null
  readonly reason?: string
}

/**
 * Compares the journal with its witness. A journal that is ahead of its witness agrees: a crash came before
 * the answer left.
 *
 * @throws JournalFailure when the witness cannot be read. That says nothing about the journal.
 */
export async function compareWitness(witness: Witness, journal: Journal): Promise<WitnessVerdict> {
  let known: JournalPosition | null
  try {
    known = await witness.read()
  } catch (error) {
    if (!(error instanceof WitnessMismatch)) throw error
    return { how: error.how, known: null, reason: error.message }
  }
  if (known === null) return { how: 'witness_missing', known }
  if (known.sequence - journal.position.sequence > MAX_JUMP) {
    return { how: 'witness_unreadable', known: null, reason: `It claims entry ${known.sequence}` }
  }
  return { how: compareJournal(known, journal), known }
}
