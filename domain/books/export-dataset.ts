/** Names the datasets of exports, their formats, and the stages of an export job. */

/** Datasets that can be exported. */
export const EXPORT_DATASETS = [
  'deposits',
  'withdrawals',
  'payments',
  'transfers',
  'exceptions',
  'ledger',
  'events',
  'audit',
  'addresses',
] as const
export type ExportDataset = (typeof EXPORT_DATASETS)[number]

export const EXPORT_FORMATS = ['csv', 'ndjson'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** Media type of each format. */
export const EXPORT_MEDIA_TYPE: Readonly<Record<ExportFormat, string>> = {
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
}

/**
 * Filters of an export, named as in the API. Each dataset uses its own and ignores the others. Addresses and
 * hashes are canonical.
 */
export interface ExportFilters {
  readonly user_reference?: string | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
  readonly status?: string | undefined
  readonly address?: string | undefined
  readonly transaction_hash?: string | undefined
  readonly payment_id?: string | undefined
  readonly order_id?: string | undefined
  readonly external_id?: string | undefined
  readonly flag?: string | undefined
  readonly kind?: string | undefined
  readonly owner?: string | undefined
  readonly overdue?: string | undefined
  /** Account of the ledger, as its lines name it, or a kind of account. */
  readonly account?: string | undefined
  readonly type?: string | undefined
  readonly reference?: string | undefined
  readonly event?: string | undefined
  readonly actor?: string | undefined
  readonly action?: string | undefined
  readonly subject?: string | undefined
  /** Begin of the window, included. ISO 8601 in UTC. */
  readonly from_date?: string | undefined
  /** End of the window, not included. ISO 8601 in UTC. */
  readonly to_date?: string | undefined
}

/** Returns the file name of an export. */
export function exportFileName(dataset: ExportDataset, format: ExportFormat): string {
  return `keyturn-${dataset}.${format}`
}
