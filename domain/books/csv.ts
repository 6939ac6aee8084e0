/** Writes CSV as RFC 4180 has it, safe against spreadsheets that would run a text as a formula. */

/** Cell of a line. A number is written as it is; a text may be neutralised. `null` is an empty cell. */
export type CsvCell = { readonly number: string | null } | string | null

/** Line end of RFC 4180. */
export const CSV_LINE_END = '\r\n'

/** Text that a spreadsheet may run, or that a reader would take for a neutralised one. */
const DANGEROUS = /^'*[=+\-@\t\r]/
const NEUTRALISED = /^''*[=+\-@\t\r]/
const QUOTED = /[",\r\n]/
const NUMBER = /^-?\d+(?:\.\d+)?$/

/**
 * Puts an apostrophe before a text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return. A text
 * that begins with apostrophes before one of these gets one more, so that `restoreText` returns every text.
 */
export function neutraliseText(text: string): string {
  return DANGEROUS.test(text) ? `'${text}` : text
}

/** Removes the apostrophe of `neutraliseText`, and of nothing else. */
export function restoreText(cell: string): string {
  return NEUTRALISED.test(cell) ? cell.slice(1) : cell
}

/** Returns a line with its line end. A number that is none is written as a text. */
export function csvLine(cells: readonly CsvCell[]): string {
  let line = ''
  for (let index = 0; index < cells.length; index++) {
    if (index > 0) line += ','
    line += cellText(cells[index] ?? null)
  }
  return line + CSV_LINE_END
}

function cellText(cell: CsvCell): string {
  if (cell === null) return ''
  if (typeof cell === 'string') return quote(neutraliseText(cell))
  if (cell.number === null || NUMBER.test(cell.number)) return cell.number ?? ''
  return quote(neutraliseText(cell.number))
}

function quote(text: string): string {
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
