/** CSV: what a spreadsheet would run is neutralised, and every text comes back. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvLine, neutraliseText, restoreText } from '../../../domain/books/csv.js'
import { parseCsv } from '../../stage/parse-csv.js'

/** Texts that often begin with what matters. */
const hostile = fc.oneof(
  fc.string({
    unit: fc.constantFrom("'", '=', '+', '-', '@', '\t', '\r', '\n', '"', ',', ' ', 'a', '1', 'é'),
  }),
  fc.string({ unit: 'binary' }),
)

test('neutralises a text that a spreadsheet would run', () => {
  for (const first of ['=', '+', '-', '@', '\t', '\r']) {
    expect(neutraliseText(`${first}1+1`)).toBe(`'${first}1+1`)
  }
  for (const text of ['', 'user-7', ' =1', "it's", "'quoted'", '1-1', 'ａ＝'])
    expect(neutraliseText(text)).toBe(text)
})

test('restores every text that it neutralised, and leaves every other one', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const cell = neutraliseText(text)
      expect(cell).not.toMatch(/^[=+\-@\t\r]/)
      expect(restoreText(cell)).toBe(text)
    }),
    { numRuns: 2_000 },
  )
})

test('writes lines that an RFC 4180 parser reads back', () => {
  fc.assert(
    fc.property(fc.array(fc.array(hostile, { minLength: 2, maxLength: 4 }), { maxLength: 4 }), (lines) => {
      const parsed = parseCsv(lines.map(csvLine).join(''))
      expect(parsed.map((cells) => cells.map(restoreText))).toEqual(lines)
    }),
    { numRuns: 500 },
  )
})

test('keeps a number a number, also a negative one', () => {
  const cells = [{ number: '-1.5' }, { number: '0' }, { number: null }, null, '-1.5']
  expect(csvLine(cells)).toBe("-1.5,0,,,'-1.5\r\n")
})

test('neutralises a number that is none', () => {
  expect(csvLine([{ number: '=1' }, { number: '-1e5' }, { number: '+1' }])).toBe("'=1,'-1e5,'+1\r\n")
})
