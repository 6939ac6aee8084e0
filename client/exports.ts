/** Calls for exports: rows of the books and lists as CSV or NDJSON. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { ExportDatasetName, ExportJob, ExportQuery, NewExport } from '../wire/export.js'
import type { Paging } from '../wire/paging.js'
import type { Calls, Sent } from './calls.js'
import type { OpenStream, StreamedAnswer } from './send-request.js'

const POLL_MS = 1_000

/** Returns the calls. @param open - Sends a request and returns the answer with its body unread. */
export function exportCalls({ at, post, get, page }: Calls, open: OpenStream) {
  const read = (id: string) => get<ExportJob>(at('/exports/jobs', id))
  return {
    /**
     * Streams the rows of a dataset from one snapshot. Read `body` to its end: it fails when the stream is cut,
     * and then what came is incomplete. `signal` ends it early.
     */
    stream: (
      dataset: ExportDatasetName,
      query: ExportQuery = {},
      signal?: AbortSignal,
    ): Promise<StreamedAnswer> =>
      open({ method: 'GET', path: at('/exports', dataset), query: { ...query } }, signal),
    /** Creates a job that writes the rows to a file. */
    create: (job: NewExport, sent?: Sent) => post<ExportJob>('/exports', job, sent),
    jobs: {
      /** Reads a job, with a fresh link to its file. */
      get: read,
      list: (paging?: Paging) => page<ExportJob>('/exports/jobs', paging),
    },
  }
}

/**
 * Waits until an export job has ended, and returns it with a fresh link: `await untilExported(client, job.id)`.
 *
 * @param client - Client, or its part that reads jobs.
 * @throws Error if the job failed. @throws The reason of `signal` when it is aborted.
 */
export async function untilExported(
  client: { readonly exports: { readonly jobs: { get(id: string): Promise<ExportJob> } } },
  id: string,
  { signal, pollMs = POLL_MS }: { readonly signal?: AbortSignal; readonly pollMs?: number } = {},
): Promise<ExportJob & { readonly url: string }> {
  for (;;) {
    const job = await client.exports.jobs.get(id)
    if (job.status === 'failed') throw new Error(`The export ${id} failed: ${job.failure?.message ?? ''}`)
    if (job.status === 'done') {
      if (job.url === null) throw new Error(`The file of the export ${id} was deleted`)
      return { ...job, url: job.url }
    }
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal })
  }
}
