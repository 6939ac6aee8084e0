/**
 * Skips interim responses (100, 102, 103) that come before an answer. HTTP allows them although we do not ask for
 * them (RFC 9110, 15.2), but undici takes a 100 for an error. A 101 is no interim response: it ends HTTP.
 */

import type { Socket } from 'node:net'

const STATUS_LINE = /^HTTP\/1\.[01] 1(?!01)\d\d[ \r]/
/** Beginnings of such a line. */
const MAY_BECOME = /^(H|HT|HTT|HTTP|HTTP\/|HTTP\/1|HTTP\/1\.|HTTP\/1\.[01]|HTTP\/1\.[01] (1\d{0,2})?)$/
/** Bytes of a status line that decide whether it is an interim response. */
const STATUS_LINE_BYTES = 13
const END_OF_HEAD = '\r\n\r\n'
const MOST_BYTES = 16_384

/**
 * Removes the heads of interim responses from the bytes read at the beginning of each answer. A socket with more
 * than 16 KB of them is closed.
 *
 * @returns The same socket.
 */
export function skipInterim<S extends Socket>(socket: S): S {
  // Requests go one after the other, so the first bytes read after a write are the beginning of an answer.
  let beginning = false
  let held = Buffer.alloc(0)
  let skipped = 0
  const write = socket.write as (...args: unknown[]) => boolean
  const read = socket.read
  socket.write = (...args: unknown[]) => {
    beginning = true
    skipped = 0
    return write.apply(socket, args)
  }
  socket.read = (size?: number) => {
    for (;;) {
      const chunk: Buffer | null = read.call(socket, size)
      if (!beginning || chunk === null) return chunk
      held = Buffer.concat([held, chunk])
      const rest = afterInterim(held)
      if (skipped + held.length - (rest?.length ?? 0) > MOST_BYTES) {
        socket.destroy(new Error('Too many interim responses'))
        return null
      }
      // These bytes do not yet decide what this response is.
      if (rest === null) continue
      skipped += held.length - rest.length
      held = Buffer.alloc(0)
      if (rest.length === 0) continue
      beginning = false
      return rest
    }
  }
  return socket
}

/** Returns the bytes after the heads of interim responses. `null` while the bytes end within a head. */
function afterInterim(bytes: Buffer): Buffer | null {
  let rest = bytes
  while (rest.length > 0) {
    const start = rest.toString('latin1', 0, STATUS_LINE_BYTES)
    if (!STATUS_LINE.test(start)) {
      return start.length < STATUS_LINE_BYTES && MAY_BECOME.test(start) ? null : rest
    }
    const end = rest.indexOf(END_OF_HEAD)
    if (end < 0) return null
    rest = rest.subarray(end + END_OF_HEAD.length)
  }
  return rest
}
