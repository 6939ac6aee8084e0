/** Checks the size of JSON before it is parsed, because a few bytes of text can stand for many of memory. */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Most values of an answer. A full claim of payouts of the largest batches has a third of it. */
export const MAX_VALUES = 500_000
/** Most levels of nesting. The protocol needs 7. */
export const MAX_DEPTH = 16

/**
 * Counts values and depth in one pass without keeping anything. The parser reports text that is not JSON.
 *
 * @returns Which limit is exceeded, or `null`.
 */
export function boundJson(raw: Uint8Array): string | null {
  let values = 0
  let depth = 0
  for (let at = 0; at < raw.length; at++) {
    switch (raw[at]) {
      case QUOTE:
        at = endOfString(raw, at)
        break
      case OPEN_LIST:
      case OPEN_OBJECT:
        if (++depth > MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH}`
        values++
        break
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth--
        break
      case COMMA:
      case COLON:
        values++
        break
    }
    if (values > MAX_VALUES) return `it has more than ${MAX_VALUES} values`
  }
  return null
}

/**
 * Returns the place of the quote that ends the string, or the place after the last byte when there is none.
 */
function endOfString(raw: Uint8Array, start: number): number {
  for (let at = start + 1; at < raw.length; at++) {
    if (raw[at] === BACKSLASH) at++
    else if (raw[at] === QUOTE) return at
  }
  return raw.length
}
