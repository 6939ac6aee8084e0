/** Separates errors that concern the database itself from those that concern a row or a request. */

const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
])
/** Codes of an outage. 25006: the server is a standby. 57P0x: it stops or starts. 53xxx: it is out of resources. */
const UNAVAILABLE = /^(08...|57P0[1-5]|25006|53...)$/
/** Codes of a deadlock, a serialization failure, and a lock or statement that took too long. */
const TRY_AGAIN: ReadonlySet<string> = new Set(['40P01', '40001', '55P03', '57014'])

/** Returns the SQLSTATE, or the code of the driver or of Node. Empty if there is none. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

/** Returns whether the database is unusable: out of reach, starting, stopping, a standby, or out of resources. */
export function isDatabaseDown(error: unknown): boolean {
  const code = errorCode(error)
  return CONNECTION_CODES.has(code) || UNAVAILABLE.test(code)
}

/** Returns whether the same transaction may succeed soon: the database is down, or others held its locks. */
export function isPassing(error: unknown): boolean {
  return isDatabaseDown(error) || TRY_AGAIN.has(errorCode(error))
}
