/** Compares this journal with the position that the platform last saw. */

import type { Journal, JournalPosition } from './journal.js'

/**
 * Compares the platform's knowledge with this journal.
 *
 * @returns `agrees` when the entry is here, `behind` when the platform saw entries that are not here (an old
 * backup was restored), and `differs` when another entry stands at that place.
 */
export function compareJournal(known: JournalPosition, journal: Journal): 'agrees' | 'behind' | 'differs' {
  if (journal.knows(known)) return 'agrees'
  return known.sequence > journal.position.sequence ? 'behind' : 'differs'
}
