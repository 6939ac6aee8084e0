/** Finds the dataset of an export by its name. */

import type { ExportDataset } from '../../domain/books/export-dataset.js'
import type { Dataset } from './dataset.js'
import { addresses } from './datasets/addresses.js'
import { audit } from './datasets/audit.js'
import { deposits } from './datasets/deposits.js'
import { events } from './datasets/events.js'
import { exceptions } from './datasets/exceptions.js'
import { ledger } from './datasets/ledger.js'
import { payments } from './datasets/payments.js'
import { transfers } from './datasets/transfers.js'
import { withdrawals } from './datasets/withdrawals.js'

/** Dataset whose rows and views are known to itself alone. */
export type AnyDataset = Dataset<unknown, unknown>

/** Every dataset by its name. */
export const DATASETS = {
  deposits,
  withdrawals,
  payments,
  transfers,
  exceptions,
  ledger,
  events,
  audit,
  addresses,
} as unknown as Readonly<Record<ExportDataset, AnyDataset>>
