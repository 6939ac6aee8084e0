/** Reads the files of a statement, as the shop's bookkeeper does. */

import { extractText, getDocumentProxy } from 'unpdf'
import { parseCsv } from '../../stage/parse-csv.js'
import type { Shop } from './open-shop.js'

/** Cells of the CSV file: the lines above its table, and those of the table with its head. */
export interface StatementCells {
  readonly head: readonly (readonly string[])[]
  readonly table: readonly (readonly string[])[]
}

/** Downloads the CSV file. */
export async function readStatementCsv({ client }: Shop, period: string): Promise<StatementCells> {
  const lines = parseCsv(await (await client.statements.download(period, 'csv')).text())
  const first = lines.findIndex(([cell]) => cell === 'network')
  return { head: lines.slice(0, first), table: lines.slice(first) }
}

/** Downloads the PDF file. @returns Its text without white space, which a reader puts between its parts. */
export async function readStatementPdf({ client }: Shop, period: string): Promise<string> {
  const file = await (await client.statements.download(period, 'pdf')).arrayBuffer()
  const { text } = await extractText(await getDocumentProxy(new Uint8Array(file)))
  return withoutSpace(text.join(''))
}

/** Returns a text as `readStatementPdf` gives it. */
export function withoutSpace(text: string): string {
  return text.replace(/\s/g, '')
}
