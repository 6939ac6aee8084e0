/** Calls for exceptions: what does not agree or did not go as agreed. */

import type { ExceptionResolutionIntent } from '../domain/controls/intent.js'
import type {
  Exception,
  ExceptionAssignment,
  ExceptionBulk,
  ExceptionBulkDone,
  ExceptionDecision,
  ExceptionFilter,
  ExceptionUpload,
  ExceptionUploadQuery,
  ExceptionWithHistory,
  NewDispute,
  NewExceptionComment,
} from '../wire/exception.js'
import type { Calls, Sent } from './calls.js'
import type { UploadedFile } from './send-request.js'

/** Milliseconds for an upload, which may have many lines. */
const UPLOAD_MS = 600_000

/** Returns the calls. */
export function exceptionCalls({ at, get, one, page, post, approvable }: Calls) {
  const act = <Body>(id: string, path: string, body: Body, sent?: Sent) =>
    post<ExceptionWithHistory>(at('/exceptions', id, path), body, sent)
  return {
    list: (filter?: ExceptionFilter) => page<Exception>('/exceptions', filter),
    get: (id: string) => get<ExceptionWithHistory>(at('/exceptions', id)),
    /** Raises a dispute, which holds the value concerned. The same subject again gives the one that stands. */
    dispute: (dispute: NewDispute, sent?: Sent) => post<ExceptionWithHistory>('/exceptions', dispute, sent),
    assign: (id: string, body: ExceptionAssignment, sent?: Sent) => act(id, '/assign', body, sent),
    comment: (id: string, body: NewExceptionComment, sent?: Sent) => act(id, '/comments', body, sent),
    /** Resolves it. Where a journal or a refund is asked for, `approval` says what is waited for. */
    resolve: (id: string, decision: ExceptionDecision, sent?: Sent) => act(id, '/resolve', decision, sent),
    /** Does the same for many: for all of them, or for none. */
    bulk: (bulk: ExceptionBulk, sent?: Sent) => post<ExceptionBulkDone>('/exceptions/bulk', bulk, sent),
    /** Uploads an edited export. With `dry_run` nothing is changed, and the answer says what would be. */
    upload: (file: UploadedFile, query: ExceptionUploadQuery = {}, sent?: Sent) =>
      one<ExceptionUpload>({
        method: 'POST',
        path: '/exceptions/upload',
        file,
        query: { ...query },
        timeoutMs: UPLOAD_MS,
        ...(sent?.idempotencyKey === undefined ? {} : { idempotencyKey: sent.idempotencyKey }),
      }),
    ...approvable<ExceptionResolutionIntent>('/exceptions'),
  }
}
