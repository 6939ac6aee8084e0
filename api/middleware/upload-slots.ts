/** Counts uploads that a process takes at a time: in all, and by what their senders have in common. */

import { KeyturnError } from '../../domain/errors.js'

const RETRY_SECONDS = 5

/** A group of uploads, such as those of a key, and how many of it may be under way. */
export interface UploadGroup {
  readonly id: string
  readonly most: number
  /** What the uploads have in common, for the error: `of this key`. */
  readonly of: string
}

export interface UploadSlots {
  /** Takes a slot in every group. @returns The function that gives it back. @throws KeyturnError `RATE_LIMITED`. */
  take(groups: readonly UploadGroup[]): () => void
}

/** Creates the slots. @param all - Uploads of all groups at a time. */
export function createUploadSlots(all: number): UploadSlots {
  const taken = new Map<string, number>()
  let total = 0
  const add = (id: string, change: number): void => {
    const left = (taken.get(id) ?? 0) + change
    if (left === 0) taken.delete(id)
    else taken.set(id, left)
  }
  return {
    take(groups) {
      const full = groups.find(({ id, most }) => (taken.get(id) ?? 0) >= most)
      if (full) throw tooMany(`${full.most} uploads ${full.of} are under way`, full.most)
      if (total >= all) throw tooMany(`${all} uploads are under way`, all)
      total++
      for (const { id } of groups) add(id, 1)
      return () => {
        total--
        for (const { id } of groups) add(id, -1)
      }
    },
  }
}

function tooMany(reason: string, most: number): KeyturnError {
  return new KeyturnError('RATE_LIMITED', `${reason}. Send it when one has ended`, {
    retryable: true,
    details: { limit: most, retry_after: RETRY_SECONDS },
  })
}
