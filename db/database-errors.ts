/** What an error of the database says of the database, not of the row or the request. */

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
/** 25006: the server became a standby; 57P0x: it stops or starts; 53xxx: it is out of connections, memory or space. */
const UNAVAILABLE = /^(08...|57P0[1-5]|25006|53...)$/
/** Deadlock, serialization failure, a lock or a statement that took too long. */
const TRY_AGAIN: ReadonlySet<string> = new Set(['40P01', '40001', '55P03', '57014'])

/** The SQLSTATE, or the driver's or Node's code; empty where there is none. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

/** Whether the database could not be used at all: out of reach, starting, stopping, a standby, or out of resources. */
export function isDatabaseDown(error: unknown): boolean {
  const code = errorCode(error)
  return CONNECTION_CODES.has(code) || UNAVAILABLE.test(code)
}

/** Whether the same transaction may succeed in a moment: the database is down, or others were in the way. */
export function isPassing(error: unknown): boolean {
  return isDatabaseDown(error) || TRY_AGAIN.has(errorCode(error))
}
