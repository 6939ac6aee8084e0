/** Exports: the books and lists of a merchant as CSV or NDJSON. */

import { z } from 'zod'
import { EXPORT_DATASETS, EXPORT_FORMATS, type ExportDataset } from '../domain/books/export-dataset.js'
import { EVENT_TYPES } from '../domain/events/event.js'
import { Address } from './address.js'
import { AuditFilter } from './audit-entry.js'
import { DepositFilter } from './deposit.js'
import { ExceptionFilter } from './exception.js'
import { Failure } from './failure.js'
import { PaymentFilter } from './payment.js'
import { windowFields } from './time.js'
import { TransferFilter } from './transfer.js'
import { WithdrawalFilter } from './withdrawal.js'

export const ExportDatasetName = z
  .enum(EXPORT_DATASETS)
  .meta({ id: 'ExportDataset', description: 'The rows that an export holds.' })
export type ExportDatasetName = z.infer<typeof ExportDatasetName>

export const ExportFormatName = z.enum(EXPORT_FORMATS).meta({
  id: 'ExportFormat',
  description: '`csv`: RFC 4180 with a head line. `ndjson`: a JSON object a line.',
})
export type ExportFormatName = z.infer<typeof ExportFormatName>

export const LedgerEntry = z
  .object({
    sequence: z.int().meta({ description: "Counts the merchant's entries from 1, without a gap." }),
    journal_id: z.string().meta({ description: 'The entries of a journal sum to zero for each coin.' }),
    recorded_at: z.iso.datetime(),
    type: z.string().meta({ example: 'deposit.confirmed' }),
    account: z.string().meta({
      example: 'available:user-7',
      description:
        'Kind and owner: `available` and `reserved` of a user, `chain` of an address id, `network_fee`. Without an owner it is the account of the merchant.',
    }),
    network: z.string(),
    coin: z.string(),
    amount: z
      .string()
      .meta({ example: '-0.5', description: 'In whole coins. A debit is positive, a credit negative.' }),
    balance_after: z
      .string()
      .meta({ description: 'Balance of the account after this entry, with the same sign.' }),
    reference: z.string().meta({ description: 'Id of the object that the journal concerns.' }),
  })
  .meta({ id: 'LedgerEntry', description: 'One entry of the double-entry ledger.' })
export type LedgerEntry = z.infer<typeof LedgerEntry>

const paged = { page: true, limit: true, cursor: true } as const

const text = z.string().max(255).optional()

export const ExportedAddress = z
  .object({
    ...Address.shape,
    outside_books: z
      .array(
        z.object({
          coin: z.string(),
          amount: z.string(),
          source: z.enum(['small_transfer', 'validator_withdrawal', 'unexplained']),
          block_number: z.number().int().nullable().meta({
            description:
              'The block that has it, or at which it was noticed; null where it is old and not kept.',
          }),
        }),
      )
      .readonly()
      .meta({
        description:
          "What lies on it and is in no balance: transfers below the network's minimum, what the chain itself paid, and rises without a transaction that shows them.",
      }),
    booked_rises: z
      .array(
        z.object({
          coin: z.string(),
          amount: z.string(),
          source: z.enum(['validator_withdrawal', 'unexplained']),
          block_number: z
            .number()
            .int()
            .meta({ description: 'The block that has it, or at which it was noticed.' }),
          journal_id: z.string().meta({ description: 'Journal of the ledger that books it.' }),
          booked_at: z.iso.datetime().meta({ description: 'Until then it lay outside the books.' }),
        }),
      )
      .readonly()
      .meta({ description: 'What lay outside the books until two people credited it.' }),
  })
  .meta({ id: 'ExportedAddress', description: 'An address, wallets and change addresses included.' })
export type ExportedAddress = z.infer<typeof ExportedAddress>

/** Filters of each dataset: those of its list, with a window of which only the begin is included. */
export const EXPORT_FILTERS = {
  deposits: DepositFilter.omit(paged),
  withdrawals: WithdrawalFilter.omit(paged),
  payments: PaymentFilter.omit(paged),
  transfers: TransferFilter.omit(paged),
  exceptions: ExceptionFilter.omit(paged).extend(windowFields),
  ledger: z.strictObject({
    user_reference: text,
    network: text,
    coin: text,
    account: z
      .string()
      .max(300)
      .regex(/^(chain|available|reserved|network_fee)(:|$)/, 'is a kind of account, or a kind and an owner')
      .optional()
      .meta({ description: 'An account as the lines name it, or a kind such as `chain`.' }),
    type: text,
    reference: text,
    ...windowFields,
  }),
  events: z.strictObject({ event: z.enum(EVENT_TYPES).optional(), subject: text, ...windowFields }),
  audit: AuditFilter.omit(paged).extend(windowFields),
  addresses: z.strictObject({ user_reference: text, network: text, ...windowFields }),
} as const satisfies Record<ExportDataset, z.ZodObject>

export const ExportStatus = z
  .enum(['queued', 'running', 'done', 'failed'])
  .meta({ id: 'ExportStatus', description: '`done` and `failed` are final.' })
export type ExportStatus = z.infer<typeof ExportStatus>

export const ExportJob = z
  .object({
    id: z.string().meta({ example: 'exp_0193…' }),
    dataset: ExportDatasetName,
    format: ExportFormatName,
    filters: z.record(z.string(), z.string()),
    status: ExportStatus,
    rows: z.int().meta({ description: 'Rows that are stored so far.' }),
    progress: z
      .number()
      .min(0)
      .max(1)
      .meta({ description: 'Share of the rows that is stored. 1 when done.' }),
    url: z.string().nullable().meta({
      description:
        'Link to the file, fresh with each answer. It needs no key. `null` while there is no file.',
    }),
    url_expires_at: z.iso.datetime().nullable(),
    manifest: z
      .object({
        rows: z.int().meta({ description: 'Rows without the head line.' }),
        bytes: z.int().meta({ description: 'Bytes of the uncompressed file, head line included.' }),
        sha256: z.string().meta({ description: 'SHA-256 of the uncompressed file, in hex.' }),
      })
      .nullable()
      .meta({ description: '`null` until done.' }),
    failure: Failure.nullable(),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
    kept_until: z.iso.datetime().nullable().meta({
      description: 'Time at which the file is deleted. `null` while there is no file.',
    }),
  })
  .meta({ id: 'ExportJob', description: 'An export that is written to a file.' })
export type ExportJob = z.infer<typeof ExportJob>

/** The body of `POST /exports`. */
export const NewExport = z.strictObject({
  dataset: ExportDatasetName,
  format: z.enum(EXPORT_FORMATS).default('csv').meta({ description: 'Default: `csv`.' }),
  filters: z
    .record(z.string(), z.unknown())
    .default({})
    .meta({ description: 'As in the query of `GET /exports/{dataset}`.' }),
})
export type NewExport = z.input<typeof NewExport>

/** The query of `GET /exports/{dataset}`: the filters of all datasets. The API refuses those of another dataset. */
export const ExportQuery = z.strictObject({
  format: z.enum(EXPORT_FORMATS).default('csv').meta({ description: 'Default: `csv`.' }),
  user_reference: text,
  network: text,
  coin: text,
  status: text,
  address: text,
  transaction_hash: text,
  payment_id: text,
  order_id: text,
  external_id: text,
  flag: text,
  kind: text,
  owner: text,
  overdue: text,
  account: z.string().max(300).optional(),
  type: text,
  reference: text,
  event: text,
  subject: text,
  actor: text,
  action: text,
  from_date: z.string().optional().meta({
    example: '2026-11-01',
    description: 'Begin of the window, included. A day means its midnight UTC.',
  }),
  to_date: z.string().optional().meta({
    example: '2026-12-01',
    description: 'End of the window, not included. A day means its midnight UTC.',
  }),
})
export type ExportQuery = z.input<typeof ExportQuery>
