/** The reader of CSV takes what spreadsheets write, in pieces of any size, and names the line of a fault. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CsvError, CsvReader, type CsvRecord } from '../../../domain/books/read-csv.js'
import { parseCsv } from '../../stage/parse-csv.js'

/** Reads a text in pieces of `size` characters. */
function read(text: string, size = text.length || 1, mostLength?: number): CsvRecord[] {
  const reader = new CsvReader(mostLength)
  const records: CsvRecord[] = []
  for (let at = 0; at < text.length; at += size) records.push(...reader.push(text.slice(at, at + size)))
  return [...records, ...reader.end()]
}
const cellsOf = (text: string, size?: number) => read(text, size).map(({ cells }) => cells)
function faultOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    if (error instanceof CsvError) return `${error.line} ${error.message}`
    throw error
  }
  return null
}

describe('a file in pieces', () => {
  const text = '\uFEFFid,note\r\n1,"a ""b""\r\nc"\r\n\r\n2,\n3,é\r4,"x,y"'

  test.each([1, 2, 3, 5, 7, 1_000])('gives the same lines in pieces of %i characters', (size) => {
    expect(read(text, size)).toEqual([
      { line: 1, cells: ['id', 'note'] },
      { line: 2, cells: ['1', 'a "b"\r\nc'] },
      { line: 5, cells: ['2', ''] },
      { line: 6, cells: ['3', 'é'] },
      { line: 7, cells: ['4', 'x,y'] },
    ])
  })

  test('gives what another parser gives, for any cells and any end of a piece', () => {
    const cell = fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', 'a', 'é', '\u{1F600}') })
    const quoted = (each: string) => `"${each.replaceAll('"', '""')}"`
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 9 }),
        (lines, size) => {
          const file = lines.map((cells) => `${cells.map(quoted).join(',')}\r\n`).join('')
          expect(cellsOf(file, size)).toEqual(parseCsv(file))
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

test('takes lines that end in a carriage return alone, as old spreadsheets write them', () => {
  for (const size of [1, 4, 100]) {
    expect(cellsOf('a,b\r1,2\r"3\r",4\r', size)).toEqual([
      ['a', 'b'],
      ['1', '2'],
      ['3\r', '4'],
    ])
  }
})

test('drops a byte order mark at the begin, and no other one', () => {
  expect(cellsOf('\uFEFFa,b\r\n\uFEFF1,2')).toEqual([
    ['a', 'b'],
    ['\uFEFF1', '2'],
  ])
  expect(cellsOf('\uFEFF"a",b', 1)).toEqual([['a', 'b']])
  expect(cellsOf('\uFEFF')).toEqual([])
})

test('names the line at which a quotation mark has no end', () => {
  expect(faultOf(() => read('a,b\n1,2\n3,"4\n5,6\n'))).toBe('3 has a quotation mark without its end')
})

test('stops at a quotation mark without its end before it holds a large file in memory', () => {
  const reader = new CsvReader()
  let pieces = 0
  const fault = faultOf(() => {
    reader.push('a,b\n1,"2\n')
    for (; pieces < 1_000; pieces++) reader.push('3,4\n'.repeat(2_500))
  })
  expect(fault).toBe('2 is longer than 65536 characters')
  expect(pieces).toBeLessThan(10)
})

test('refuses a line that is too long, also one that ends in the same piece', () => {
  for (const size of [1, 7, 1_000]) {
    expect(read(`a,b\n${'x'.repeat(90)},1\n`, size, 100)).toHaveLength(2)
    expect(faultOf(() => read(`a,b\n${'x'.repeat(100)},1\n2,3\n`, size, 100))).toBe(
      '2 is longer than 100 characters',
    )
  }
})

test('refuses a text after a quoted cell', () => {
  expect(faultOf(() => read('a,b\n"1"x,2\n'))).toBe('2 has a text after a quoted cell')
})
