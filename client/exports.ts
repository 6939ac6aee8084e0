/** Calls for exports: rows of the books and lists as CSV or NDJSON. */

import type { ExportDatasetName, ExportQuery } from '../wire/export.js'
import type { Calls } from './calls.js'
import type { OpenStream } from './send-request.js'

/** Returns the calls. @param open - Sends a request and returns the answer with its body unread. */
export function exportCalls({ at }: Calls, open: OpenStream) {
  return {
    /**
     * Streams the rows of a dataset from one snapshot. Read `body` to its end: it fails when the stream is cut,
     * and then what came is incomplete. `signal` ends it early.
     */
    stream: (dataset: ExportDatasetName, query: ExportQuery = {}, signal?: AbortSignal): Promise<Response> =>
      open({ method: 'GET', path: at('/exports', dataset), query: { ...query } }, signal),
  }
}
