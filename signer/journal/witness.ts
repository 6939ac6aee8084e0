/**
 * Defines the witness, which remembers outside the home how far the journal has come, so that an older home
 * is detected.
 */

import type { JournalPosition } from './journal.js'
import { JournalFailure } from './journal-failure.js'

/**
 * Memory of the journal's head that neither the platform nor a restore of the home reaches. It is written
 * after the journal's sync and before an answer leaves, so the journal holds its position unless the journal
 * was replaced by an older one. The journal may be ahead of it after a crash: none of those entries has left
 * the signer.
 */
export interface Witness {
  /** Path, URL, or `tpm:` with an index. */
  readonly place: string
  /**
   * Returns the position that was written last. `null` before the first.
   *
   * @throws JournalFailure when it cannot be read.
   */
  read(): Promise<JournalPosition | null>
  /**
   * Returns when the position is stored.
   *
   * @throws JournalFailure when it may not be. The process must then end.
   */
  write(position: JournalPosition): Promise<void>
}

/** Returns whether two positions are the same, with the same knowledge of the entry's time. */
export function isSamePosition(one: JournalPosition, other: JournalPosition): boolean {
  return one.head === other.head && one.sequence === other.sequence && one.at === other.at
}

/**
 * Error of a witness that holds another position than it was given: it was replaced by an older copy, or
 * another signer writes it.
 */
export class WitnessMismatch extends JournalFailure {
  readonly known: JournalPosition | null
  /** `witness_behind` where the witness proves that what is on the disk is older than itself. */
  readonly how: 'witness_unreadable' | 'witness_behind'

  constructor(
    message: string,
    known: JournalPosition | null,
    how: WitnessMismatch['how'] = 'witness_unreadable',
  ) {
    super(message)
    this.known = known
    this.how = how
  }
}

/** Runs a step of a witness. @throws JournalFailure that names the witness, for every error. */
export async function guardWitness<T>(place: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    if (error instanceof JournalFailure) throw error
    const reason = error instanceof Error ? error.message : 'unknown'
    throw new JournalFailure(`The witness ${place} failed: ${reason}`, { cause: error })
  }
}

/** Keeps the position in memory, for benches and tests. It protects from nothing. */
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
