/**
 * Writes JSON lines to standard output. The caller names each field, so that no object brings a secret with
 * it.
 */

import { visibleJson } from '../domain/visible-text.js'
import { shorten } from './shorten.js'

export type LogLevel = 'info' | 'warn' | 'error'

/** Most bytes of a line, whose texts may come from the platform. */
const MAX_LINE_BYTES = 1_024
/**
 * Lengths to which the texts of a line are cut until the line fits. The last one fits even where each byte is
 * escaped.
 */
const TEXT_BYTES = [500, 200, 80, 20]

/** Writes one line with time, level, message and the given fields. Texts that make it too long are cut. */
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
