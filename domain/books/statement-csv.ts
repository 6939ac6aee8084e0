/**
 * Writes a statement as CSV: a head that names period, window, blocks and the journals of the adjustments, then a table
 * with a line a coin.
 */

import { type CsvCell, csvLine } from './csv.js'

/** Columns of the table. Those after `coin` are amounts. */
const COLUMNS = [
  'network',
  'coin',
  'opening',
  'in',
  'out',
  'fees',
  'transfers',
  'adjustments',
  'closing',
] as const

/** What the file needs of a statement. */
export interface StatementText {
  readonly period: string
  readonly merchant: { readonly id: string; readonly name: string }
  readonly from: string
  readonly to: string
  readonly provisional: boolean
  readonly proof: readonly {
    readonly network: string
    readonly block_number: number
    readonly block_hash: string
  }[]
  /** What the chain holds beside the closing at the blocks of the proof. */
  readonly outside_books: readonly {
    readonly network: string
    readonly coin: string
    readonly amount: string
  }[]
  readonly lines: readonly Readonly<Record<(typeof COLUMNS)[number], string>>[]
}

/** Journal that belongs to an earlier period by its cause. */
export interface AdjustmentText {
  readonly journal_id: string
  readonly type: string
  readonly reference: string
  readonly network: string | null
  readonly recorded_at: string
}

/** Returns the file. The table begins at the line whose first cell is `network`. */
export function statementCsv(statement: StatementText, adjustments: readonly AdjustmentText[]): string {
  const { merchant, from, to, proof, outside_books: outside, lines } = statement
  const head: CsvCell[][] = [
    ['statement', statement.period],
    ['status', statement.provisional ? 'provisional' : 'closed'],
    ['merchant', merchant.id, merchant.name],
    ['window', from, to],
    ...proof.map((block): CsvCell[] => [
      'proof',
      block.network,
      { number: String(block.block_number) },
      block.block_hash,
    ]),
    ...outside.map(({ network, coin, amount }): CsvCell[] => [
      'outside_books',
      network,
      coin,
      { number: amount },
    ]),
    ...adjustments.map(({ journal_id, type, reference, network, recorded_at }): CsvCell[] => [
      'adjustment',
      { number: journal_id },
      type,
      reference,
      network ?? '',
      recorded_at,
    ]),
  ]
  const table = lines.map((line) =>
    COLUMNS.map(
      (name): CsvCell => (name === 'network' || name === 'coin' ? line[name] : { number: line[name] }),
    ),
  )
  return [...head, [...COLUMNS], ...table].map(csvLine).join('')
}
