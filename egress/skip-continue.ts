/**
 * Skips `100 Continue` responses that come before an answer. HTTP allows them although we do not ask for them
 * (RFC 9110, 15.2.1), but undici takes them for an error.
 */

import type { Socket } from 'node:net'

const STATUS_LINE = /^HTTP\/1\.[01] 100[ \r]/
/** Bytes of a status line that decide whether it is a `100 Continue`. */
const STATUS_LINE_BYTES = 13
const END_OF_HEAD = '\r\n\r\n'
const MOST_BYTES = 16_384

/**
 * Removes `100 Continue` heads from the bytes read at the beginning of each answer.
 *
 * @returns The same socket.
 */
export function skipContinue<S extends Socket>(socket: S): S {
  // Requests go one after the other, so the first bytes read after a write are the beginning of an answer.
  let beginning = false
  let held = Buffer.alloc(0)
  const write = socket.write as (...args: unknown[]) => boolean
  const read = socket.read
  socket.write = (...args: unknown[]) => {
    beginning = true
    return write.apply(socket, args)
  }
  socket.read = (size?: number) => {
    for (;;) {
      const chunk: Buffer | null = read.call(socket, size)
      if (!beginning || chunk === null) return chunk
      held = Buffer.concat([held, chunk])
      const rest = afterContinue(held)
      // These bytes do not yet decide what this response is.
      if (rest === null) continue
      held = Buffer.alloc(0)
      if (rest.length === 0) continue
      beginning = false
      return rest
    }
  }
  return socket
}

/** Returns the bytes after the `100 Continue` heads. `null` while the bytes end within a head. */
function afterContinue(bytes: Buffer): Buffer | null {
  let rest = bytes
  while (rest.length > 0) {
    const start = rest.toString('latin1', 0, STATUS_LINE_BYTES)
    if (!STATUS_LINE.test(start)) {
      const mayBecome =
        start.length < STATUS_LINE_BYTES && 'HTTP/1.1 100 '.startsWith(start.replace('/1.0', '/1.1'))
      return mayBecome ? null : rest
    }
    const end = rest.indexOf(END_OF_HEAD)
    if (end < 0) return rest.length > MOST_BYTES ? rest : null
    rest = rest.subarray(end + END_OF_HEAD.length)
  }
  return rest
}
