/** Statements as PDF: every figure and the letters of any script are in the file, and the same facts make the same bytes. */

import { extractText, getDocumentProxy } from 'unpdf'
import { expect, test } from 'vitest'
import { statementPdf } from '../../../api/books/pdf/statement-pdf.js'
import { textRuns } from '../../../api/books/pdf/text-runs.js'
import type { Statement } from '../../../wire/statement.js'

function statement(name: string, coins = 3): Statement {
  const line = (index: number) => ({
    network: `network-${index}`,
    coin: `coin-${index}`,
    opening: `${index}.000000000000000001`,
    in: '12345678.123456789012345678',
    out: '0.5',
    fees: '0.000021',
    transfers: '0',
    adjustments: '-3.25',
    closing: `${10_000 + index}`,
  })
  return {
    period: '2026-11',
    merchant: { id: 'mer_1', name },
    from: '2026-11-01T00:00:00.000Z',
    to: '2026-12-01T00:00:00.000Z',
    provisional: false,
    proof: [{ network: 'bitcoin', block_number: 871_234, block_hash: 'ab'.repeat(32) }],
    outside_books: [{ network: 'bitcoin', coin: 'btc', amount: '0.00000546' }],
    lines: Array.from({ length: coins }, (_, index) => line(index)),
  }
}

/** A text as a reader finds it. `transform[4]` is its left end. */
interface Drawn {
  readonly str: string
  readonly width: number
  readonly transform: readonly number[]
}

async function read(file: Buffer): Promise<{ pages: number; text: string }> {
  const { totalPages, text } = await extractText(await getDocumentProxy(new Uint8Array(file)))
  return { pages: totalPages, text: text.join('\n') }
}
/**
 * Letters without white space, which a reader of PDF puts where letters are joined, and without what it shows for
 * the dots of Arabic letters, which a font draws on their own.
 */
const bare = (text: string) => text.normalize('NFKD').replace(/[\s\p{Cc}]/gu, '')

test('holds every figure, the period, its status and the block', async () => {
  const { text } = await read(await statementPdf(statement('Shop')))
  for (const part of [
    'Statement 2026-11',
    'Shop',
    'Closed: the figures are final',
    'From 2026-11-01T00:00:00.000Z until before 2026-12-01T00:00:00.000Z',
    `bitcoin at block 871234, ${'ab'.repeat(32)}`,
    'Outside the books, beside the closing, lies 0.00000546 btc on bitcoin at that block',
    'coin-0 on network-0',
    '0.000000000000000001',
    '12345678.123456789012345678',
    '-3.25',
    '10002',
  ])
    expect(bare(text)).toContain(bare(part))
  const open = await read(await statementPdf({ ...statement('Shop'), provisional: true }))
  expect(open.text).toContain('PROVISIONAL')
})

test.each([
  ['Latin, Greek and Cyrillic', 'Łódź Ünïcödé Ελληνικά Кириллица'],
  ['Vietnamese', 'Cửa hàng Việt Nam'],
  ['Han and kana', '株式会社テスト商店北京'],
  ['Hangul', '한국상점주식회사'],
  ['Thai', 'ร้านค้าทดสอบ'],
  ['Devanagari', 'मेरी दुकान'],
  ['Georgian and Armenian', 'მაღაზია Խանութ'],
  ['Arabic', 'متجر السلام للتجارة'],
  ['Hebrew', 'חנות השלום'],
  ['Latin and Arabic', 'Acme متجر Ltd'],
  ['Bengali', 'দোকান বাংলা'],
  ['Gurmukhi', 'ਦੁਕਾਨ'],
  ['Gujarati', 'દુકાન'],
  ['Odia', 'ଦୋକାନ'],
  ['Tamil', 'கடை தமிழ்'],
  ['Telugu', 'దుకాణం'],
  ['Kannada', 'ಅಂಗಡಿ'],
  ['Malayalam', 'കട മലയാളം'],
  ['Sinhala', 'කඩය'],
  ['Lao', 'ຮ້ານຄ້າ'],
  ['Tibetan', 'ཚོང་ཁང'],
  ['Burmese', 'ဆိုင်'],
  ['Khmer', 'ហាង'],
  ['Ethiopic', 'ሱቅ'],
  ['Thaana', 'ފިހާރަ'],
  ['Syriac', 'ܚܢܘܬܐ'],
  ["N'Ko", 'ߖߊߥߏ'],
  ['Tifinagh', 'ⵜⴰⵃⴰⵏⵓⵜ'],
  ['Cherokee', 'ᎠᏓᎾᏅ'],
  ['Canadian syllabics', 'ᓂᐅᕐᕕᒃ'],
  ['Ol Chiki', 'ᱫᱚᱠᱟᱱ'],
])('writes the letters of %s', async (_, name) => {
  const { text } = await read(await statementPdf(statement(name)))
  const line = text.slice(text.indexOf('2026-11') + 7, text.indexOf('mer_1'))
  // Where a script runs from right to left, a reader may find its words in another order.
  const sorted = (letters: string) => [...bare(letters)].sort().join('')
  expect(sorted(line)).toBe(sorted(name))
})

test.each(['متجر', 'السلام', 'חנות'])('draws the letters of %s from right to left', async (name) => {
  const { text } = await read(await statementPdf(statement(name)))
  const line = text.slice(text.indexOf('2026-11') + 7, text.indexOf('mer_1'))
  // The reader takes the glyphs from left to right and turns the line. One drawn the other way comes out reversed.
  expect(bare(line)).toBe(bare(name))
})

test('makes names of coins and networks that are wider than their column into lines', async () => {
  const lines = statement('Shop').lines.map((line) => ({
    ...line,
    coin: 'c'.repeat(31),
    network: 'n'.repeat(31),
  }))
  const page = await (
    await getDocumentProxy(new Uint8Array(await statementPdf({ ...statement('Shop'), lines })))
  ).getPage(1)
  const items: object[] = (await page.getTextContent()).items
  const names = items.flatMap((item) =>
    'str' in item && /^[cn]{5,}/.test(String(item.str)) ? [item as unknown as Drawn] : [],
  )
  expect(names.map(({ str }) => str).join('')).toContain('c'.repeat(20))
  for (const { transform, width } of names) expect((transform[4] ?? 0) + width).toBeLessThan(36 + 120)
})

test('makes a statement with boxes where a font cannot shape a name', async () => {
  const { text } = await read(await statementPdf(statement('A ᠳᠡ B')))
  expect(bare(text)).toContain('A□□B')
})

test('shows a letter without a font as a box, and the marks that turn a text as their codes', async () => {
  const { text } = await read(await statementPdf(statement('A\u{13000}B \u{202e}evil')))
  expect(text).toContain('A□B')
  expect(text).toContain('\\u{202e}evil')
})

test('orders runs as they stand on paper, brackets and numbers included', async () => {
  const draw = async (text: string) =>
    (await textRuns(text, async (codePoint) => (codePoint > 0x590 ? 'hebrew' : 'latin'))).map(
      ({ text: run }) => run,
    )
  expect(await draw('shop אבג (42)')).toEqual(['shop ', '(', '42', ') ', 'אבג'])
  expect(await draw('אבג (42)')).toEqual(['(', '42', ') ', 'אבג'])
})

test('breaks amounts that are wider than their column, and goes on on further pages', async () => {
  const long = `${'9'.repeat(60)}.${'1'.repeat(18)}`
  const many = statement('Shop', 60)
  const { pages, text } = await read(
    await statementPdf({ ...many, lines: many.lines.map((line) => ({ ...line, in: long })) }),
  )
  expect(pages).toBeGreaterThan(2)
  expect(text).toContain(`page ${pages} of ${pages}`)
  expect([...text.matchAll(/coin-\d+ on/g)]).toHaveLength(60)
  expect(bare(text).split('9').length - 1).toBeGreaterThanOrEqual(60 * 60)
})

test('makes the same bytes of the same statement', async () => {
  const [one, other] = [await statementPdf(statement('متجر')), await statementPdf(statement('متجر'))]
  expect(one.equals(other)).toBe(true)
})
