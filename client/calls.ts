/** What calls of the API have in common: pages, approvals and how a request is sent. */

import type { Approval, ApprovalDecision } from '../wire/approval.js'
import type { Pagination } from '../wire/paging.js'
import type { Request, Send } from './send-request.js'

/** A page of a list. */
export interface ClientPage<T> {
  readonly items: readonly T[]
  readonly pagination: Pagination
}

/** Options of a POST. */
export interface Sent {
  /**
   * `Idempotency-Key` of the request. Give your own, such as an order's id, so that it survives a restart of
   * yours.
   */
  readonly idempotencyKey?: string
}

export type Calls = ReturnType<typeof createCalls>

/** Returns the functions that make calls, on top of the one that sends a request. */
export function createCalls(send: Send) {
  const one = async <T>(request: Request): Promise<T> => (await send<T>(request)).data
  const at = (path: string, id: string, rest = ''): string => `${path}/${encodeURIComponent(id)}${rest}`
  const post = <T>(path: string, body: unknown, sent?: Sent): Promise<T> =>
    one<T>({
      method: 'POST',
      path,
      body,
      ...(sent?.idempotencyKey === undefined ? {} : { idempotencyKey: sent.idempotencyKey }),
    })
  return {
    one,
    at,
    post,
    get: <T>(path: string): Promise<T> => one<T>({ method: 'GET', path }),
    remove: <T>(path: string): Promise<T> => one<T>({ method: 'DELETE', path }),
    async page<T>(path: string, query: object = {}): Promise<ClientPage<T>> {
      const { data, pagination } = await send<readonly T[]>({ method: 'GET', path, query: { ...query } })
      if (!pagination) throw new Error(`${path} did not answer with a page`)
      return { items: data, pagination }
    },
    /** Returns the calls for the intent and the approvals of a subject that needs approval. */
    approvable: <T>(path: string) => ({
      /** Fetches the intent that approvers sign. */
      intent: (id: string) =>
        one<{ readonly intent: T; readonly intent_hash: string }>({
          method: 'GET',
          path: at(path, id, '/intent'),
        }),
      /** Sends a decision. The API key must be the approver's own. */
      decide: (id: string, decision: ApprovalDecision, sent?: Sent) =>
        post<Approval>(at(path, id, '/approvals'), decision, sent),
    }),
  }
}
