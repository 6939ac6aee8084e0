/** Calls of the platform's operator. A key of a merchant cannot make them. */

import type { NewRescan, Rescan } from '../wire/rescan.js'
import type { Calls, Sent } from './calls.js'

/** Returns the calls. */
export function operatorCalls({ at, post, get }: Calls) {
  return {
    rescans: {
      /** Scans a transaction, a range of blocks or an address again, and credits what was missed. */
      start: (rescan: NewRescan, sent?: Sent) => post<Rescan>('/admin/rescan', rescan, sent),
      /** Reads a rescan with its progress and what it found. */
      get: (id: string) => get<Rescan>(at('/admin/rescan', id)),
    },
  }
}
