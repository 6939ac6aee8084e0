/**
 * Calls the platform. This signer signs each call, and believes an answer only when the platform's pinned key
 * signed it.
 */

import { type KeyObject, randomBytes, verify } from 'node:crypto'
import { requestMessage } from '../../domain/signing/request-signature.js'
import type { Identity } from '../keys/identity.js'
import { boundJson } from './bound-json.js'
import { type RawAnswer, sendRequest } from './send-request.js'

/** An answer of the platform with a valid signature. */
export interface PlatformAnswer {
  readonly status: number
  /** Parsed JSON. `null` without a body. */
  readonly body: unknown
}

/**
 * Error when the platform cannot be reached, or the answer is not the platform's. The caller tries again
 * later.
 */
export class PlatformUnavailable extends Error {
  override readonly name = 'PlatformUnavailable'
}

export interface PlatformConnection {
  /**
   * Sends JSON with POST.
   *
   * @param path - For example `/signer/v1/claim`.
   * @param options.maxBytes - Most bytes of the answer. The default is small, because many calls may be open
   * at once.
   * @throws PlatformUnavailable on a connection error, a time-out or a missing or false signature.
   */
  post(
    path: string,
    body: unknown,
    options: { timeoutMs: number; signal?: AbortSignal; maxBytes?: number },
  ): Promise<PlatformAnswer>
}

/** Most bytes of an answer to an enrolment or a decision. */
const MAX_SMALL_ANSWER_BYTES = 262_144

/** Prefix of the text that the platform signs (domain/signing/signer-protocol.ts). */
const ANSWER_PREFIX = 'keyturn-platform-v1'

/**
 * Creates the connection without opening a socket. Every call is one request.
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
    async post(path, body, { timeoutMs, signal, maxBytes = MAX_SMALL_ANSWER_BYTES }) {
      const url = new URL(base + path)
      const payload = Buffer.from(JSON.stringify(body))
      let nonce = ''
      const headers = () => {
        nonce = randomBytes(16).toString('hex')
        const timestamp = Math.floor(Date.now() / 1_000).toString()
        const target = { method: 'POST', path: url.pathname + url.search, body: payload }
        return {
          'content-type': 'application/json',
          'x-timestamp': timestamp,
          'x-nonce': nonce,
          'x-signature': options.identity.sign(requestMessage({ timestamp, nonce, ...target })),
          ...(options.signerId ? { 'x-signer-id': options.signerId } : {}),
        }
      }
      const answer = await send(url, {
        body: payload,
        headers,
        deadlineMs: timeoutMs,
        maxBytes,
        signal,
      })
      // The signature covers the raw bytes, and is verified before any of them are parsed.
      if (!isSigned(answer, nonce, options.platformKey)) {
        throw new PlatformUnavailable(
          `${path} was answered with ${answer.status}, not signed by the platform's pinned key`,
        )
      }
      return { status: answer.status, body: parse(answer.raw) }
    },
  }
}

async function send(url: URL, options: Parameters<typeof sendRequest>[1]): Promise<RawAnswer> {
  try {
    return await sendRequest(url, options)
  } catch (error) {
    throw new PlatformUnavailable(`The platform cannot be reached: ${reasonOf(error)}`, { cause: error })
  }
}

function isSigned({ headers, raw }: RawAnswer, nonce: string, key: KeyObject): boolean {
  const signature = headers['x-platform-signature']
  if (typeof signature !== 'string') return false
  const signed = Buffer.concat([Buffer.from(`${ANSWER_PREFIX}\n${nonce}\n`), raw])
  return verify(null, signed, key, Buffer.from(signature, 'base64'))
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error ? String(error.code) : error.message
}

function parse(raw: Buffer): unknown {
  if (raw.length === 0) return null
  const tooMuch = boundJson(raw)
  if (tooMuch !== null) throw new PlatformUnavailable(`The platform's answer is not read: ${tooMuch}`)
  try {
    const value: unknown = JSON.parse(raw.toString('utf8'))
    // The platform may use the API's envelope here too.
    const isEnvelope = typeof value === 'object' && value !== null && 'success' in value && 'data' in value
    return isEnvelope ? value.data : value
  } catch (error) {
    throw new PlatformUnavailable('The platform answered something that is not JSON', { cause: error })
  }
}
