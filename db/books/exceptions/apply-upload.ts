/** Applies an edited export of exceptions, line by line: a line that cannot be applied is rejected alone. */

import type { ExportFormat } from '../../../domain/books/export-dataset.js'
import { canonicalJson } from '../../../domain/canonical-json.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'
import {
  type Actor,
  addComment,
  assignException,
  lockException,
  resolveException,
  setRootCause,
} from './change-exception.js'
import { toExceptionView } from './exception-row.js'
import { cellTexts, EDITABLE_FIELDS, EXCEPTION_COLUMNS, toExported } from './exported-exception.js'
import { findException } from './list-exceptions.js'
import { requireFree } from './propose-resolution.js'

/** A line of a file with its fields. */
export interface EditedLine {
  readonly line: number
  readonly fields: Readonly<Record<string, unknown>>
}

/** Returns whether PostgreSQL can store a text: it has neither NUL nor half a surrogate pair. */
export function isStorable(text: string): boolean {
  return !/\0|\p{Surrogate}/u.test(text)
}

/** Longest text of a comment or root cause. */
const MOST_LENGTH = 2_000

/**
 * Applies a line. It has the id and any other fields of an export; all but the editable ones must be as they are now,
 * so that a person never decides about something that has changed meanwhile.
 *
 * @returns Whether it changed something.
 * @throws KeyturnError whose message says why the line is rejected. Then nothing of it is applied.
 */
export async function applyLine(
  tx: Transaction,
  merchantId: string,
  format: ExportFormat,
  { fields }: EditedLine,
  actor: Actor,
): Promise<boolean> {
  const { id } = fields
  if (typeof id !== 'string' || id === '') throw rejected('has no id')
  return (await tx.savepoint(async (point) => {
    const row = await lockException(point, merchantId, id)
    const now = toExported(toExceptionView(await findException(point, merchantId, id)))
    requireUnchanged(format, fields, format === 'csv' ? cellTexts(now) : new Map(Object.entries(now)))
    const wanted = wantedOf(fields)
    const edits = {
      owner: changed('owner', wanted.owner, now.owner),
      resolution: changed('resolution', wanted.resolution, now.resolution),
      rootCause: changed('root_cause', wanted.root_cause, now.root_cause),
      comment: wanted.comment ?? null,
    }
    if (edits.resolution !== null && edits.resolution !== 'none') {
      throw rejected('resolution: only "none" can be uploaded. The others need two people or a withdrawal')
    }
    if (edits.owner !== null) await assignException(point, row, edits.owner, actor)
    if (edits.resolution !== null) {
      const assigned = await lockException(point, merchantId, id)
      await requireFree(point, assigned)
      await resolveException(point, assigned, 'none', actor, { comment: edits.comment, uploaded: true })
    }
    if (edits.comment !== null) await addComment(point, row, edits.comment, actor)
    if (edits.rootCause !== null) await setRootCause(point, row, edits.rootCause, actor)
    return Object.values(edits).some((edit) => edit !== null)
  })) as boolean
}

/** @throws KeyturnError if a field that is not editable differs from what it is now. */
function requireUnchanged(
  format: ExportFormat,
  fields: EditedLine['fields'],
  now: ReadonlyMap<string, unknown>,
): void {
  for (const [name, value] of Object.entries(fields)) {
    if ((EDITABLE_FIELDS as readonly string[]).includes(name)) continue
    if (!now.has(name)) throw rejected(`${name}: there is no such field`)
    const present = now.get(name)
    const isSame = format === 'csv' ? value === present : canonicalJson(value) === canonicalJson(present)
    if (!isSame) throw rejected(`${name}: it cannot be changed here, or it has changed since the export`)
  }
}

type Wanted = Partial<Record<(typeof EDITABLE_FIELDS)[number], string | null>>

/** Returns the editable fields of a line. An empty cell is `null`. A field that is missing is absent. */
function wantedOf(fields: EditedLine['fields']): Wanted {
  const wanted: Wanted = {}
  for (const name of EDITABLE_FIELDS) {
    const value = fields[name]
    if (value === undefined) continue
    if (value !== null && typeof value !== 'string') throw rejected(`${name}: is a text`)
    if (value !== null && value.length > MOST_LENGTH)
      throw rejected(`${name}: has more than ${MOST_LENGTH} characters`)
    if (value !== null && !isStorable(value)) throw rejected(`${name}: holds NUL or half a surrogate pair`)
    wanted[name] = value === '' ? null : value
  }
  return wanted
}

/** Returns the new value. `null` if it is the present one. @throws KeyturnError if it was removed. */
function changed(name: string, wanted: string | null | undefined, present: string | null): string | null {
  if (wanted === undefined || wanted === present) return null
  if (wanted === null) throw rejected(`${name}: it cannot be removed`)
  return wanted
}

function rejected(reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', reason)
}

/** Fields of a line of NDJSON, and columns of a CSV, that an upload may have. */
export const UPLOAD_COLUMNS: readonly string[] = EXCEPTION_COLUMNS.map((column) => column.name)
