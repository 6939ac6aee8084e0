/** Describes for the merchant why a POST failed. A system's own message may hold a URL, so it is not passed on. */

import { errors } from 'undici'
import type { FailureClass } from '../domain/events/failure-class.js'

/** Thrown when a host resolves to an address that the target policy refuses. */
export class TargetRefusedError extends Error {
  override readonly name = 'TargetRefusedError'
}

const REASON: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'The connection was reset',
  EPIPE: 'The connection was closed while sending',
  ETIMEDOUT: 'The connection timed out',
  EHOSTUNREACH: 'The host cannot be reached',
  ENETUNREACH: 'The network cannot be reached',
  ENOTFOUND: 'The host name does not exist',
  ENODATA: 'The host name has no address',
  EAI_AGAIN: 'The host name could not be resolved',
  ETIMEOUT: 'The name server did not answer',
  ESERVFAIL: 'The name server failed',
  UND_ERR_SOCKET: 'The connection was closed without an answer',
  UND_ERR_CONNECT_TIMEOUT: 'The connection timed out',
  UND_ERR_HEADERS_OVERFLOW: 'The answer has too many headers',
  UND_ERR_RESPONSE: 'The answer is not HTTP',
}

/** Returns a sentence for an error of the network, of TLS or of HTTP. */
export function describeSendError(error: unknown): string {
  if (error instanceof TargetRefusedError) return `Not sent: url ${error.message}`
  if (error instanceof AggregateError) {
    // Several addresses were tried, and they mostly fail for the same reason.
    return describeSendError(error.errors[0])
  }
  if (error instanceof errors.HTTPParserError) return 'The answer is not HTTP'
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code !== 'string') return 'The request failed'
  const reason = REASON[code]
  if (reason !== undefined) return reason
  if (/CERT|SSL|TLS|ISSUER|SIGNED|ALTNAME/.test(code)) return `The TLS certificate was not accepted (${code})`
  return `The request failed (${code})`
}

/** Codes of errors that mean that no answer came in time. A name server that does not answer is another matter. */
const TIME_OUTS: readonly string[] = ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT']

/** Returns the class of a POST without an answer. */
export function classifySendError(error: unknown): FailureClass {
  if (error instanceof TargetRefusedError) return 'blocked'
  if (error instanceof AggregateError) return classifySendError(error.errors[0])
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && TIME_OUTS.includes(code) ? 'timeout' : 'unreachable'
}
