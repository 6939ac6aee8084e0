/** Reads the filters of an export: those of its dataset, and no other. */

import type { ExportDataset, ExportFilters } from '../../domain/books/export-dataset.js'
import type { Networks } from '../../domain/chain/network.js'
import { EXPORT_FILTERS } from '../../wire/export.js'
import { canonicalQuery } from '../http/canonical-query.js'
import { validationError } from '../http/map-error.js'

/**
 * Returns the filters, with addresses and hashes in canonical form.
 *
 * @param target - Part of the request that holds them: `query` or `json`.
 * @throws KeyturnError `VALIDATION_FAILED` that names each unknown or invalid one.
 */
export function readExportFilters(
  dataset: ExportDataset,
  given: Readonly<Record<string, unknown>>,
  target: 'query' | 'json',
  networks: Networks,
): ExportFilters {
  const parsed = EXPORT_FILTERS[dataset].safeParse(given)
  if (!parsed.success) throw validationError(parsed.error, target)
  const { from_date, to_date, ...others } = parsed.data
  const filters: ExportFilters = others
  return {
    ...filters,
    ...(filters.address === undefined ? {} : { address: canonicalQuery(filters.address, networks) }),
    ...(filters.transaction_hash === undefined
      ? {}
      : { transaction_hash: filters.transaction_hash.toLowerCase() }),
    ...(from_date === undefined ? {} : { from_date: from_date.toISOString() }),
    ...(to_date === undefined ? {} : { to_date: to_date.toISOString() }),
  }
}
