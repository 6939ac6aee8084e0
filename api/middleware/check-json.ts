/** Checks a JSON text before it is parsed, because the parser hides depth, repeated names and lost digits. */

/** Deepest nesting of a body. */
export const MOST_DEPTH = 32

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])
const OPEN_OBJECT = 0x7b
const MINUS = 0x2d
const NUMBER = /-?\d[\d.eE+-]*/y
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** An open object (its names so far) or an open array (`null`). */
type Frame = Set<string> | null

/**
 * Returns the reason why a JSON text is refused. `null` if it is accepted. It skips text that is no JSON,
 * which the parser reports.
 */
export function checkJson(text: string): string | null {
  const frames: Frame[] = []
  let nameNext = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      const names = frames.at(-1)
      if (nameNext && names) {
        const name = readName(text.slice(at, end + 1))
        if (names.has(name)) return `an object has the name ${JSON.stringify(name.slice(0, 100))} twice`
        if (name === '__proto__') return 'no name may be "__proto__"'
        names.add(name)
        nameNext = false
      }
      at = end
    } else if (OPEN.has(code)) {
      if (frames.length === MOST_DEPTH) return `it is nested deeper than ${MOST_DEPTH} levels`
      nameNext = code === OPEN_OBJECT
      frames.push(nameNext ? new Set() : null)
    } else if (CLOSE.has(code)) {
      frames.pop()
      nameNext = false
    } else if (code === COMMA) {
      nameNext = frames.at(-1) != null
    } else if (code === MINUS || (code >= 0x30 && code <= 0x39)) {
      NUMBER.lastIndex = at
      const number = NUMBER.exec(text)?.[0] ?? text.charAt(at)
      if (!isKept(number)) return `the number ${number.slice(0, 50)} would lose digits; send it as a string`
      at += number.length - 1
    }
  }
  return null
}

/** Returns the index of the closing quotation mark, or of the last character if there is none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at
  }
  return text.length - 1
}

function readName(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return String(JSON.parse(quoted))
  } catch {
    return quoted
  }
}

/** Returns whether a number keeps its value as a double, to which it is parsed. */
function isKept(number: string): boolean {
  const sent = normalise(number)
  // This is no JSON number, which the parser reports.
  if (sent === null) return true
  return sent === normalise(String(Number(number)))
}

/** Returns sign, significant digits and exponent. It returns `0` for every zero and `null` for no decimal number. */
function normalise(number: string): string | null {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(number) ?? []
  if (whole === '') return null
  const digits = `${whole}${fraction}`
  let start = 0
  while (digits[start] === '0') start++
  if (start === digits.length) return '0'
  // Count from the end: a pattern that searches trailing zeros restarts at each zero and takes minutes for
  // long numbers.
  let end = digits.length
  while (digits[end - 1] === '0') end--
  const power = Number(exponent) - fraction.length + (digits.length - end)
  return `${sign}${digits.slice(start, end)}e${power}`
}
