/** Calls for reconciliation: compare the books, and read what differs. */

import type { Paging } from '../wire/paging.js'
import type {
  DifferenceFilter,
  FoundDifference,
  NewReconciliationRun,
  ReconciliationRun,
} from '../wire/reconciliation.js'
import type { Calls, Sent } from './calls.js'

/** Returns the calls. */
export function reconciliationCalls({ at, post, get, page }: Calls) {
  return {
    runs: {
      /** Starts a comparison of the books. It reads and never repairs. */
      start: (run: NewReconciliationRun = {}, sent?: Sent) =>
        post<ReconciliationRun>('/reconciliation/runs', run, sent),
      /** Reads a run with its progress, and what its checks found. */
      get: (id: string) => get<ReconciliationRun>(at('/reconciliation/runs', id)),
      list: (paging?: Paging) => page<ReconciliationRun>('/reconciliation/runs', paging),
      /** Lists what one check of a run found. */
      differences: (id: string, filter: DifferenceFilter) =>
        page<FoundDifference>(at('/reconciliation/runs', id, '/differences'), filter),
    },
  }
}
