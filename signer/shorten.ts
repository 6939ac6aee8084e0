/** Cuts a text to so many bytes of UTF-8, and says that it did. */
export function shorten(text: string, mostBytes: number): string {
  // Each character takes a byte or more, so later characters cannot fit and are not even encoded.
  const head = text.slice(0, mostBytes)
  if (head.length === text.length && Buffer.byteLength(text) <= mostBytes) return text
  const bytes = Buffer.from(head).subarray(0, mostBytes - ELLIPSIS_BYTES)
  return `${bytes.toString('utf8').replace(/\uFFFD+$/, '')}…`
}

const ELLIPSIS_BYTES = 3
