/** Lets a receiver answer `100 Continue` before its answer, which HTTP allows it unasked (RFC 9110, 15.2.1) and undici does not. */

import type { Socket } from 'node:net'

const STATUS_LINE = /^HTTP\/1\.[01] 100[ \r]/
/** As much of it as decides. */
const STATUS_LINE_BYTES = 13
const END_OF_HEAD = '\r\n\r\n'
const MOST_BYTES = 16_384

/** Takes the heads of such answers out of what is read from a connection, where an answer begins. @returns The same socket. */
export function skipContinue<S extends Socket>(socket: S): S {
  // Requests go one after the other, so the first bytes after something was written are the beginning of an answer.
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
      // More must come before it is known what this is.
      if (rest === null) continue
      held = Buffer.alloc(0)
      if (rest.length === 0) continue
      beginning = false
      return rest
    }
  }
  return socket
}

/** What follows the heads of `100 Continue`; null while the bytes end within one. */
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
