/** Calls to the platform: signed by this signer, believed only when signed by the platform's pinned key. */

import { type KeyObject, randomBytes, verify } from 'node:crypto'
import { requestMessage } from '../../domain/request-signature.js'
import type { Identity } from '../keys/identity.js'

/** An answer of the platform whose signature holds. */
export interface PlatformAnswer {
  readonly status: number
  /** Parsed JSON; null where there is no body. */
  readonly body: unknown
}

/** The platform cannot be reached, or what answered is not the platform: try again later, believe nothing. */
export class PlatformUnavailable extends Error {
  override readonly name = 'PlatformUnavailable'
}

export interface PlatformConnection {
  /**
   * Sends JSON with POST.
   *
   * @param path - For example `/signer/v1/claim`.
   * @throws PlatformUnavailable on a connection error, a time-out or a missing or false signature.
   */
  post(
    path: string,
    body: unknown,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<PlatformAnswer>
}

/** Prefix of the text that the platform signs (domain/signer-protocol.ts). */
const ANSWER_PREFIX = 'keyturn-platform-v1'

/** Larger answers are not read: a PSBT with its parents is a few megabytes at most. */
const MAX_ANSWER_BYTES = 64 * 1_048_576

/**
 * Connects nothing yet; every call is one request.
 *
 * @param options.signerId - Absent before enrolment.
 */
export function connectPlatform(options: {
  readonly url: string
  readonly platformKey: KeyObject
  readonly identity: Identity
  readonly signerId?: string
}): PlatformConnection {
  const base = options.url.replace(/\/+$/, '')
  return {
    async post(path, body, { timeoutMs, signal }) {
      const url = new URL(base + path)
      const payload = Buffer.from(JSON.stringify(body))
      const timestamp = Math.floor(Date.now() / 1_000).toString()
      const nonce = randomBytes(16).toString('hex')
      const message = requestMessage({
        timestamp,
        nonce,
        method: 'POST',
        path: url.pathname + url.search,
        body: payload,
      })
      const timeout = AbortSignal.timeout(timeoutMs)
      const answer = await send(url, {
        method: 'POST',
        redirect: 'error',
        signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
        body: payload,
        headers: {
          'content-type': 'application/json',
          'x-timestamp': timestamp,
          'x-nonce': nonce,
          'x-signature': options.identity.sign(message),
          ...(options.signerId ? { 'x-signer-id': options.signerId } : {}),
        },
      })
      const signature = answer.headers.get('x-platform-signature') ?? ''
      const signed = Buffer.concat([Buffer.from(`${ANSWER_PREFIX}\n${nonce}\n`), answer.raw])
      if (!verify(null, signed, options.platformKey, Buffer.from(signature, 'base64'))) {
        throw new PlatformUnavailable(
          `${path} was answered with ${answer.status}, not signed by the platform's pinned key`,
        )
      }
      return { status: answer.status, body: parse(answer.raw) }
    },
  }
}

async function send(url: URL, init: RequestInit): Promise<{ status: number; headers: Headers; raw: Buffer }> {
  try {
    const response = await fetch(url, init)
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of response.body ?? []) {
      length += chunk.length
      if (length > MAX_ANSWER_BYTES) throw new Error('the answer is too large')
      chunks.push(chunk)
    }
    return { status: response.status, headers: response.headers, raw: Buffer.concat(chunks) }
  } catch (error) {
    throw new PlatformUnavailable(`The platform cannot be reached: ${reasonOf(error)}`, { cause: error })
  }
}

/** `fetch` hides the reason in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { cause } = error
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  return error.message
}

function parse(raw: Buffer): unknown {
  if (raw.length === 0) return null
  try {
    const value: unknown = JSON.parse(raw.toString('utf8'))
    // The API's envelope, where the platform uses it here too.
    const isEnvelope = typeof value === 'object' && value !== null && 'success' in value && 'data' in value
    return isEnvelope ? value.data : value
  } catch (error) {
    throw new PlatformUnavailable('The platform answered something that is not JSON', { cause: error })
  }
}
