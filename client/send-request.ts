/** Sends signed requests, and retries where a retry cannot do anything twice. */

import { randomUUID } from 'node:crypto'
import type { Pagination } from '../wire/paging.js'
import { ApiError, type ApiErrorBody } from './api-error.js'
import { signRequest } from './sign-request.js'

const BASE_PATH = '/api/v1'
const DEFAULT_ATTEMPTS = 5
const DEFAULT_TIMEOUT_MS = 30_000
const FIRST_DELAY_MS = 200
const MAX_DELAY_MS = 5_000

export interface SenderOptions {
  /** Address of the platform, such as `https://pay.example`, without `/api/v1`. */
  readonly baseUrl: string
  /** Public id of the API key. */
  readonly apiKey: string
  readonly apiSecret: string
  /** Number of attempts in all. Default: 5. */
  readonly attempts?: number
  /** Milliseconds for one attempt. Default: 30,000. */
  readonly timeoutMs?: number
  /** Function that makes the HTTP request. Default: the global `fetch`. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

/** A file for a request that takes CSV or NDJSON. */
export interface UploadedFile {
  readonly type: 'text/csv' | 'application/x-ndjson'
  readonly content: string | Uint8Array<ArrayBuffer>
}

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path below `/api/v1`, such as `/addresses`. Its parts must be encoded already. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  /** File to upload, instead of a body of JSON. */
  readonly file?: UploadedFile
  /**
   * `Idempotency-Key`. Default on POST: a random one, the same in every attempt. Your own survives a restart
   * of yours.
   */
  readonly idempotencyKey?: string
  /** Milliseconds for one attempt of this request, which takes longer than others. */
  readonly timeoutMs?: number
}

/** The JSON body of a success. */
export interface Success<T> {
  readonly success: true
  readonly data: T
  readonly pagination?: Pagination
}

export type Send = <T>(request: Request) => Promise<Success<T>>

/** Sends a request once. @returns The answer, whose body is not read yet. @throws ApiError for an error answer. */
export type OpenStream = (request: Request, signal?: AbortSignal) => Promise<StreamedAnswer>

/** Answer whose body is there to be read. */
export type StreamedAnswer = Response & { readonly body: NonNullable<Response['body']> }

/** Returns the function that opens streams. They may take as long as they need. */
export function createOpener(options: SenderOptions): OpenStream {
  return async (request, signal) => {
    const response = await sendOnce(options, request, undefined, signal)
    if (!response.ok) throw toError(response, parse(await response.text()))
    if (response.body === null) throw new Error(`${request.path} was answered without a body`)
    return response as StreamedAnswer
  }
}

/** Signs and sends a request. */
function sendOnce(
  options: SenderOptions,
  request: Request,
  idempotencyKey: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const base = options.baseUrl.replace(/\/+$/, '')
  const path = BASE_PATH + request.path + queryText(request.query)
  const { file } = request
  const content = file?.content ?? (request.body === undefined ? undefined : JSON.stringify(request.body))
  const body = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content ?? [])
  // The signature covers the path as it is sent, and `URL` may write a path in another way.
  const url = new URL(base + path)
  return (options.fetch ?? fetch)(url.href, {
    method: request.method,
    headers: {
      ...signRequest({
        ...options,
        method: request.method,
        path: url.pathname + url.search,
        body,
        announced: file !== undefined,
      }),
      ...(content === undefined ? {} : { 'Content-Type': file?.type ?? 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
    },
    redirect: 'error',
    ...(signal === undefined ? {} : { signal }),
    ...(content === undefined ? {} : { body: content }),
  })
}

/**
 * Returns the function that sends. It retries with growing pauses. After 429, 503 (nothing was done) and
 * `REQUEST_IN_PROGRESS` it always retries; after a broken connection or another 5xx only GET and POST,
 * because the Idempotency-Key keeps a POST from being done twice.
 */
export function createSender(options: SenderOptions): Send {
  const attempts = options.attempts ?? DEFAULT_ATTEMPTS

  async function attempt<T>(request: Request, idempotencyKey: string | undefined): Promise<Success<T>> {
    const signal = AbortSignal.timeout(request.timeoutMs ?? options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const response = await sendOnce(options, request, idempotencyKey, signal)
    const answer = parse(await response.text())
    if (response.ok && isObject(answer) && answer.success === true) return answer as unknown as Success<T>
    throw toError(response, answer)
  }

  return async function send<T>(request: Request): Promise<Success<T>> {
    const key = request.method === 'POST' ? (request.idempotencyKey ?? randomUUID()) : undefined
    const repeatable = request.method === 'GET' || request.method === 'POST'
    for (let number = 1; ; number++) {
      try {
        return await attempt<T>(request, key)
      } catch (error) {
        const wait = pauseBefore(error, number, repeatable)
        if (number >= attempts || wait === null) throw error
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
  }
}

/** Returns the milliseconds to wait before the next attempt. `null` when a retry is useless or unsafe. */
function pauseBefore(error: unknown, attempt: number, repeatable: boolean): number | null {
  const growing = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1))
  // A random part keeps clients that failed together from coming back together.
  const pause = growing / 2 + Math.random() * (growing / 2)
  if (!(error instanceof ApiError)) return repeatable ? pause : null
  const nothingDone = error.status === 429 || error.code === 'DEPENDENCY_UNAVAILABLE'
  const askAgain = error.code === 'REQUEST_IN_PROGRESS' || (error.status >= 500 && repeatable)
  if (!nothingDone && !askAgain) return null
  return Math.max(pause, Number(error.details.retry_after ?? 0) * 1_000)
}

function toError(response: Response, answer: unknown): ApiError {
  const error = isObject(answer) ? answer.error : undefined
  if (isObject(error) && typeof error.code === 'string') {
    return new ApiError(response.status, error as unknown as ApiErrorBody)
  }
  return new ApiError(response.status, {
    code: 'UNEXPECTED_ANSWER',
    message: `HTTP ${response.status} without an answer of the API; the URL may belong to another service`,
    details: {},
    request_id: response.headers.get('x-request-id') ?? '',
  })
}

function queryText(query: Request['query']): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined)
  return given.length === 0
    ? ''
    : `?${given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
