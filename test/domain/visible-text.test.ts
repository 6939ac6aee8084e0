/** Shows texts of others without characters that hide or move. */

import { expect, test } from 'vitest'
import { visibleJson, visibleText } from '../../domain/visible-text.js'

/**
 * Null, escape, delete, next line, zero-width space, two that turn the direction, a line separator, a mark, a
 * tag.
 */
const HIDDEN = [0, 0x1b, 0x7f, 0x85, 0x200b, 0x202e, 0x2066, 0x2028, 0xfeff, 0xe0041]

test('escapes characters that move the cursor, turn the direction of writing or are not seen', () => {
  for (const code of HIDDEN) {
    const text = `a${String.fromCodePoint(code)}b`
    expect(visibleText(text)).toBe(`a\\u{${code.toString(16)}}b`)
    expect(visibleJson({ text })).toMatch(/^[ -~]+$/)
    expect(JSON.parse(visibleJson({ text }, 2))).toEqual({ text })
  }
  expect(visibleText('Zoë 日本 🙂')).toBe('Zoë 日本 🙂')
  // Composed by marks, as Hebrew, Thai and Vietnamese are.
  for (const text of ['שָּׁ֣לוֹם', 'ที่', 'Viê\u0323\u0301t', '1\ufe0f\u20e3']) expect(visibleText(text)).toBe(text)
  expect(visibleJson({ a: 1 }, 2)).toBe('{\n  "a": 1\n}')
})

test('escapes marks that pile up on a letter, beyond the fourth', () => {
  const marks = '\u0301\u0302\u0303\u0304'
  expect(visibleText(`a${marks}b`)).toBe(`a${marks}b`)
  expect(visibleText(`a${marks}\u0305\u0306b${marks}`)).toBe(`a${marks}\\u{305}\\u{306}b${marks}`)
})
