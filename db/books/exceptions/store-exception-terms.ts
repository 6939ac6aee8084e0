/** Stores the due times of exceptions that the configuration overrides, so that SQL knows them where it raises. */

import { EXCEPTION_KINDS, type ExceptionKind } from '../../../domain/books/exception.js'
import type { Sql } from '../../connect.js'

/**
 * Stores the due times and forgets those that are no longer overridden. It affects later exceptions only.
 *
 * @param due - Milliseconds by kind.
 */
export async function storeExceptionTerms(sql: Sql, due: ReadonlyMap<ExceptionKind, number>): Promise<void> {
  const kinds = EXCEPTION_KINDS.filter((kind) => due.has(kind))
  await sql`
    WITH gone AS (DELETE FROM exception_terms WHERE kind <> ALL (${kinds}::text[]))
    INSERT INTO exception_terms (kind, due_ms)
    SELECT * FROM unnest(${kinds}::text[], ${kinds.map((kind) => String(due.get(kind) ?? 0))}::text[]::bigint[])
    ON CONFLICT (kind) DO UPDATE SET due_ms = excluded.due_ms`
}
