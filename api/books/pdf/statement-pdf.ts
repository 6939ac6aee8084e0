/** Writes a statement as PDF, with the letters of any script. */

import { visibleText } from '../../../domain/visible-text.js'
import type { Statement } from '../../../wire/statement.js'
import { openPage, type Page } from './open-page.js'

const AMOUNTS = ['opening', 'in', 'out', 'fees', 'transfers', 'adjustments', 'closing'] as const
/** A4, turned. */
const PAGE = { width: 842, height: 595, margin: 36 } as const
const RIGHT = PAGE.width - PAGE.margin
/** Width of the column of network and coin, and of an amount. */
const NAME_WIDTH = 120
const AMOUNT_WIDTH = (RIGHT - PAGE.margin - NAME_WIDTH) / AMOUNTS.length
const TEXT = 9
/** Least size of an amount. One that is still wider than its column is broken. */
const LEAST = 5.5
const LINE = 13
/** Letters of a name that are shown. */
const LONGEST_NAME = 120

/** Returns the file. A statement always makes the same bytes. */
export async function statementPdf(statement: Statement): Promise<Buffer> {
  const { period, lines } = statement
  const page = openPage({
    size: [PAGE.width, PAGE.height],
    margin: 0,
    info: { Title: `Statement ${period}`, CreationDate: new Date(statement.to) },
  })
  let y = await drawHead(page, statement)
  y = await drawColumns(page, y)
  for (const line of lines) {
    const cells = await Promise.all(AMOUNTS.map((name) => fitAmount(page, line[name])))
    const names = await breakText(page, `${line.coin} on ${line.network}`, NAME_WIDTH - 6, TEXT)
    const height = Math.max(names.length, ...cells.map(({ parts }) => parts.length)) * LINE
    if (y + height > PAGE.height - 2 * PAGE.margin) y = await drawColumns(page, newPage(page))
    for (const [row, part] of names.entries())
      await page.draw(part, { x: PAGE.margin, y: y + row * LINE, size: TEXT })
    for (const [column, { parts, size }] of cells.entries()) {
      for (const [row, part] of parts.entries())
        await page.draw(part, { x: rightOf(column), y: y + row * LINE, size, right: true })
    }
    y += height + 3
  }
  await numberPages(page, statement)
  return page.end()
}

async function drawHead(page: Page, statement: Statement): Promise<number> {
  let y = newPage(page)
  const write = async (text: string, size = TEXT): Promise<void> => {
    await page.draw(text, { x: PAGE.margin, y, size })
    y += size * 1.6
  }
  await write(`Statement ${statement.period}`, 18)
  await write([...visibleText(statement.merchant.name)].slice(0, LONGEST_NAME).join(''), 13)
  await write(statement.merchant.id)
  await write(`From ${statement.from} until before ${statement.to}`)
  await write(
    statement.provisional
      ? 'PROVISIONAL: the period is not closed, and figures may still change'
      : 'Closed: the figures are final',
  )
  for (const { network, block_number, block_hash } of statement.proof)
    await write(`Agrees with ${network} at block ${block_number}, ${block_hash}`, 8)
  for (const { network, coin, amount } of statement.outside_books)
    await write(
      `Outside the books, beside the closing, lies ${amount} ${coin} on ${network} at that block`,
      8,
    )
  return y + LINE
}

async function drawColumns(page: Page, y: number): Promise<number> {
  await page.draw('coin', { x: PAGE.margin, y, size: TEXT })
  for (const [column, name] of AMOUNTS.entries())
    await page.draw(name, { x: rightOf(column), y, size: TEXT, right: true })
  page.document.lineWidth(0.5)
  page.document
    .moveTo(PAGE.margin, y + 5)
    .lineTo(RIGHT, y + 5)
    .stroke()
  return y + LINE + 6
}

/** Begins a page. @returns The base line of its first line. */
function newPage({ document }: Page): number {
  document.addPage()
  return PAGE.margin + 18
}

function rightOf(column: number): number {
  return PAGE.margin + NAME_WIDTH + (column + 1) * AMOUNT_WIDTH
}

/** Breaks a text into lines of at most a width, at spaces where there are any. No letter is left out. */
async function breakText(page: Page, text: string, width: number, size: number): Promise<string[]> {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/(?<= )/)) {
    if (line !== '' && (await page.measure(line + word.trimEnd(), size)) > width) {
      lines.push(line)
      line = ''
    }
    for (const letter of word) {
      if (line !== '' && (await page.measure(line + letter, size)) > width && letter !== ' ') {
        lines.push(line)
        line = ''
      }
      line += letter
    }
  }
  return [...lines, line]
}

/** Makes an amount smaller until it fits its column, and breaks one that never does. No digit is left out. */
async function fitAmount(
  page: Page,
  amount: string,
): Promise<{ readonly parts: readonly string[]; readonly size: number }> {
  const room = AMOUNT_WIDTH - 6
  const width = await page.measure(amount, TEXT)
  const size = Math.max(LEAST, Math.min(TEXT, (TEXT * room) / width))
  const letters = Math.max(1, Math.floor((amount.length * room * TEXT) / (width * size) + 0.001))
  return { parts: amount.match(new RegExp(`.{1,${letters}}`, 'g')) ?? [amount], size }
}

async function numberPages(page: Page, { period }: Statement): Promise<void> {
  const { count } = page.document.bufferedPageRange()
  for (let index = 0; index < count; index++) {
    page.document.switchToPage(index)
    await page.draw(`Statement ${period}, page ${index + 1} of ${count}`, {
      x: RIGHT,
      y: PAGE.height - PAGE.margin,
      size: 8,
      right: true,
    })
  }
}
