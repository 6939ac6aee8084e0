/** JSON lines on standard output. Fields are named by the caller one by one, so that no secret slips in with an object. */

export type LogLevel = 'info' | 'warn' | 'error'

/** Writes one line: time, level, message and the fields given. */
export function log(
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, string | number | boolean | null>> = {},
): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`)
}
