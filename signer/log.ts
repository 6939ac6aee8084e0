/** JSON lines on standard output. Fields are named by the caller one by one, so that no secret slips in with an object. */

import { visibleJson } from '../domain/visible-text.js'
import { shorten } from './shorten.js'

export type LogLevel = 'info' | 'warn' | 'error'

/** The most bytes of a line: its texts may come from the platform. */
const MAX_LINE_BYTES = 1_024
/** Lengths that a line's texts are cut to until it fits; the last one does even where each byte is escaped. */
const TEXT_BYTES = [500, 200, 80, 20]

/** Writes one line: time, level, message and the fields given; texts that make it too long are cut. */
export function log(
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, string | number | boolean | null>> = {},
): void {
  const lineOf = (most: number) => {
    const cut = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? shorten(value, most) : value,
    ])
    const head = { time: new Date().toISOString(), level, message: shorten(message, most) }
    return visibleJson({ ...head, ...Object.fromEntries(cut) })
  }
  let line = ''
  for (const most of TEXT_BYTES) {
    line = lineOf(most)
    if (Buffer.byteLength(line) < MAX_LINE_BYTES) break
  }
  process.stdout.write(`${line}\n`)
}
