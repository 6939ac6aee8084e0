/** What remembers, outside the home, how far the journal has come: a home that was taken back in time is found out by it. */

import type { JournalPosition } from './journal.js'
import { JournalFailure } from './journal-failure.js'

/**
 * A memory of the journal's head that neither the platform nor a restore of the home reaches. It is written after the journal's sync and
 * before an answer leaves, so what it holds is in the journal, or the journal was taken back. The journal may be ahead of it: a crash
 * came between, and nothing of those entries has left the signer.
 */
export interface Witness {
  /** Path or URL. */
  readonly place: string
  /** What was written last; null where nothing ever was. @throws JournalFailure when it cannot be read. */
  read(): Promise<JournalPosition | null>
  /** Returns when the position is kept. @throws JournalFailure when it may not be: the process must then end. */
  write(position: JournalPosition): Promise<void>
}

/** Whether two positions are the same, with the same knowledge of the entry's time. */
export function isSamePosition(one: JournalPosition, other: JournalPosition): boolean {
  return one.head === other.head && one.sequence === other.sequence && one.at === other.at
}

/** The witness holds another position than it was given: it was taken back itself, or another signer writes it. */
export class WitnessMismatch extends JournalFailure {
  readonly known: JournalPosition | null

  constructor(message: string, known: JournalPosition | null) {
    super(message)
    this.known = known
  }
}

/** Keeps the position in memory, which protects from nothing: for benches and tests. */
export function openMemoryWitness(initial: JournalPosition | null = null): Witness {
  let known = initial
  return {
    place: 'memory',
    read: async () => known,
    write: async (position) => {
      known = position
    },
  }
}
