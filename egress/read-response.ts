/** Reads as much of an answer as is worth keeping, and no more. */

import type { Readable } from 'node:stream'

/** A connection that has this much to say is not worth keeping alive. */
const MAX_READ_BYTES = 16_384
const MAX_KEPT_BYTES = 4_096
/** The status is known by now; whoever takes longer to finish its body is cut off, so that it holds no slot. */
const MAX_BODY_MS = 2_000

/**
 * Collects a body until it ends, says too much, takes too long or breaks off; never throws. What is left unread is cut off
 * with its connection.
 *
 * @returns At most 4 KB of UTF-8 text, without NUL (which PostgreSQL cannot hold); null when it was empty.
 */
export async function readResponse(body: Readable, signal: AbortSignal): Promise<string | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => body.destroy(), MAX_BODY_MS)
    const done = () => {
      clearTimeout(timer)
      // The pool takes the connection back a turn later; whoever sends at once would open another one.
      setImmediate(resolve)
    }
    body.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= MAX_READ_BYTES) body.destroy()
    })
    // Destroying makes an error of its own; the status stands whatever the body does.
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
  // A byte that is not UTF-8 became three of them: keep to the limit all the same.
  return decodeWhole(Buffer.from(text).subarray(0, MAX_KEPT_BYTES))
}

/** Decodes whole characters only: what was cut in two at the end is left out. */
function decodeWhole(bytes: Uint8Array): string {
  return new TextDecoder('utf-8').decode(bytes, { stream: true })
}
