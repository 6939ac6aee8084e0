/** Reads the beginning of an answer's body, within limits of size and time. */

import type { Readable } from 'node:stream'

/** A connection with a longer body is closed rather than read to its end and kept alive. */
const MAX_READ_BYTES = 16_384
const MAX_KEPT_BYTES = 4_096
/** The status is already known, so a body that takes longer is cut off and holds no slot. */
const MAX_BODY_MS = 2_000

/**
 * Collects a body until it ends, grows too long, takes too long or breaks off. It never throws. If part of
 * the body is left unread, its connection is closed.
 *
 * @returns At most 4 KB of UTF-8 text, without NUL (which PostgreSQL cannot hold). `null` when the body was
 * empty.
 */
export async function readResponse(body: Readable, signal: AbortSignal): Promise<string | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => body.destroy(), MAX_BODY_MS)
    const done = () => {
      clearTimeout(timer)
      // The pool takes the connection back one turn later. A request sent at once would open another
      // connection.
      setImmediate(resolve)
    }
    body.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= MAX_READ_BYTES) body.destroy()
    })
    // Destroying the body raises an error too. No error of the body changes the status.
    body.on('error', done)
    body.on('close', done)
    body.on('end', done)
    if (signal.aborted) body.destroy()
  })
  const text = toText(Buffer.concat(chunks).subarray(0, MAX_KEPT_BYTES))
  return text === '' ? null : text
}

function toText(bytes: Uint8Array): string {
  const text = decodeWhole(bytes).replaceAll('\0', '\uFFFD')
  // Each byte that is not UTF-8 became three, so cut the text to the limit once more.
  return decodeWhole(Buffer.from(text).subarray(0, MAX_KEPT_BYTES))
}

/** Decodes whole characters only and leaves out a character that was cut at the end. */
function decodeWhole(bytes: Uint8Array): string {
  return new TextDecoder('utf-8').decode(bytes, { stream: true })
}
