/** Writes exceptions as an export has them: the same fields in CSV and NDJSON, which an edited file is compared with. */

import type { CsvCell } from '../../../domain/books/csv.js'
import type { Exception } from '../../../wire/exception.js'

/** Fields that people may change in an exported file. `comment` is empty in an export. */
export const EDITABLE_FIELDS = ['owner', 'resolution', 'root_cause', 'comment'] as const

/** An exception in an export. What changes by itself, such as the age, is left out. */
export type ExportedException = Omit<Exception, 'age_seconds' | 'overdue' | 'holds' | 'approval'> & {
  readonly comment: null
}

/** Returns an exception as an export has it. */
export function toExported(view: Exception): ExportedException {
  const { age_seconds: _age, overdue: _overdue, holds: _holds, approval: _approval, ...kept } = view
  return { ...kept, comment: null }
}

type Exported = ExportedException

/** Columns of the CSV. */
export const EXCEPTION_COLUMNS: readonly {
  readonly name: string
  readonly cell: (exported: Exported) => CsvCell
}[] = [
  { name: 'id', cell: (each) => each.id },
  { name: 'kind', cell: (each) => each.kind },
  { name: 'detail', cell: (each) => each.detail },
  { name: 'status', cell: (each) => each.status },
  { name: 'severity', cell: (each) => each.severity },
  { name: 'reason', cell: (each) => each.reason },
  { name: 'subject_type', cell: (each) => each.subject.type },
  { name: 'subject_id', cell: (each) => each.subject.id },
  { name: 'payment_id', cell: (each) => each.payment_id },
  { name: 'user_reference', cell: (each) => each.user_reference },
  { name: 'expected', cell: (each) => each.expected },
  { name: 'actual', cell: (each) => each.actual },
  { name: 'due_at', cell: (each) => each.due_at },
  { name: 'owner', cell: (each) => each.owner },
  { name: 'resolution', cell: (each) => each.resolution },
  { name: 'root_cause', cell: (each) => each.root_cause },
  { name: 'comment', cell: (each) => each.comment },
  { name: 'comments', cell: (each) => JSON.stringify(each.comments) },
  { name: 'evidence', cell: (each) => JSON.stringify(each.evidence) },
  { name: 'withdrawal_id', cell: (each) => each.withdrawal_id },
  { name: 'created_at', cell: (each) => each.created_at },
  { name: 'updated_at', cell: (each) => each.updated_at },
  { name: 'resolved_at', cell: (each) => each.resolved_at },
]

/** Returns the texts of a line, by column, without the apostrophes of a file. */
export function cellTexts(exported: Exported): ReadonlyMap<string, string> {
  return new Map(
    EXCEPTION_COLUMNS.map(({ name, cell }) => {
      const value = cell(exported)
      return [name, typeof value === 'string' ? value : (value?.number ?? '')]
    }),
  )
}
