/** Calls for reconciliation: compare the books, and read what differs. */

import type { LifecycleMapping, LifecycleMappingUpdate, OrderUpload } from '../wire/lifecycle.js'
import type { Paging } from '../wire/paging.js'
import type {
  DifferenceFilter,
  FoundDifference,
  NewReconciliationRun,
  ReconciliationRun,
} from '../wire/reconciliation.js'
import type { Calls, Sent } from './calls.js'
import type { UploadedFile } from './send-request.js'

/** Milliseconds for an upload, which may have a million lines. */
const UPLOAD_MS = 600_000

/** Returns the calls. */
export function reconciliationCalls({ at, one, post, get, page }: Calls) {
  return {
    /** Uploads orders, to compare the books with them. The same order and payment replaces an earlier line. */
    uploadOrders: (file: UploadedFile, sent?: Sent) =>
      one<OrderUpload>({
        method: 'POST',
        path: '/reconciliation/orders',
        file,
        timeoutMs: UPLOAD_MS,
        ...(sent?.idempotencyKey === undefined ? {} : { idempotencyKey: sent.idempotencyKey }),
      }),
    lifecycleMapping: {
      /** Stores a new version. */
      put: (mapping: LifecycleMappingUpdate) =>
        one<LifecycleMapping>({ method: 'PUT', path: '/lifecycle-mapping', body: mapping }),
      /** Reads the version that holds. */
      get: () => get<LifecycleMapping>('/lifecycle-mapping'),
      version: (version: number) => get<LifecycleMapping>(at('/lifecycle-mapping', String(version))),
    },
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
