/** Accepts that entries of a journal are lost, so that nothing that they may have paid is paid again. */

import { MAX_JUMP } from './entry.js'
import type { Journal, JournalPosition } from './journal.js'

/** A part of the journal that is lost, as far as it is known. */
export interface Loss {
  /** Entries that the platform or the witness saw and this journal lacks. */
  readonly lost: readonly JournalPosition[]
  /** Whether there may be entries that neither of them can name. */
  readonly isUncertain: boolean
  /** Latest known time of the lost part, in milliseconds. 0 where no time is known. */
  readonly notBefore: number
  /**
   * Whether everything in the lost part was written by `notBefore`. Otherwise the fence rests on the clock.
   */
  readonly isTimeKnown: boolean
}

/**
 * Finds what a journal lacks.
 *
 * @param seen - Positions that the platform or a witness saw. One that no journal can reach is not believed.
 * @param isUncertain - Whether a witness that might know more is gone.
 */
export function findLoss(
  journal: Journal,
  seen: readonly (JournalPosition | null)[],
  isUncertain: boolean,
): Loss {
  const lost = seen.filter(
    (each): each is JournalPosition =>
      each !== null && each.sequence - journal.position.sequence <= MAX_JUMP && !journal.knows(each),
  )
  const furthest = Math.max(0, ...lost.map(({ sequence }) => sequence))
  return {
    lost,
    isUncertain,
    notBefore: Math.max(0, ...lost.map(timeOf)),
    isTimeKnown: !isUncertain && lost.some(({ sequence, at }) => sequence === furthest && at !== undefined),
  }
}

/** Returns whether accepting the loss sets a fence. */
export function setsFence({ lost, isUncertain }: Loss): boolean {
  return lost.length > 0 || isUncertain
}

/**
 * Writes the loss that the operator accepted, and with it the fence: an intent that was created before it is
 * not new any more. The fence is never before a known time of the lost part, although the clock may be. The
 * entries are not durable before `sync`.
 */
export function acceptLost(journal: Journal, loss: Loss): void {
  const accepted = loss.lost.length === 0 && loss.isUncertain ? [journal.position] : loss.lost
  for (const { head, sequence } of accepted) {
    // The platform and the witness may know the same entry.
    if (loss.lost.length > 0 && journal.knows({ head, sequence })) continue
    journal.append({ type: 'unlocked', known_head: head, known_sequence: sequence }, loss.notBefore)
  }
}

/** Returns the time of a position's entry in milliseconds. 0 where it is not known. */
function timeOf(position: JournalPosition): number {
  return position.at === undefined ? 0 : Date.parse(position.at)
}
