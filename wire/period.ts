/** Periods: the months in which the books are closed. */

import { z } from 'zod'
import { ACCOUNT_CLASSES, PERIOD_STATUSES } from '../domain/books/period-books.js'
import { AwaitedApproval } from './deposit.js'
import { pagingFields } from './paging.js'

/** Name of a month in UTC, such as `2026-11`. */
export const PeriodName = z
  .string()
  .regex(/^[0-9]{4}-(0[1-9]|1[0-2])$/, 'is a month: 2026-11')
  .refine((month) => month >= '1970-01', 'begins in 1970 or later')
  .meta({ example: '2026-11', description: 'A month in UTC.' })

/** Block of a network with which the books agree. */
export const ProofBlock = z
  .object({ network: z.string(), block_number: z.int(), block_hash: z.string() })
  .meta({ id: 'ProofBlock', description: 'A final block up to which the books say what the chain says.' })
export type ProofBlock = z.infer<typeof ProofBlock>

export const TrialBalanceLine = z
  .object({
    class: z.enum(ACCOUNT_CLASSES).meta({
      description: 'Asset: on addresses. Liability: owned by users. Equity: owned by the merchant itself.',
    }),
    account: z
      .string()
      .meta({ example: 'available', description: 'Kind of account, as the ledger names it.' }),
    network: z.string(),
    coin: z.string(),
    balance: z.string().meta({
      description: 'In whole coins. A debit is positive, a credit negative: the lines of a coin sum to zero.',
    }),
  })
  .meta({ id: 'TrialBalanceLine', description: 'The sum of the accounts of one kind.' })
export type TrialBalanceLine = z.infer<typeof TrialBalanceLine>

const status = z.enum(PERIOD_STATUSES).meta({ description: '`closing` waits for two approvals.' })

export const ChecklistItem = z
  .object({
    name: z.string().meta({ example: 'open_payments' }),
    ok: z.boolean(),
    found: z.int().meta({ description: 'How much speaks against it.' }),
    examples: z.array(z.string()).readonly().meta({ description: 'Ids of a few of them.' }),
  })
  .meta({ id: 'ChecklistItem', description: 'A condition of the close of a period.' })
export type ChecklistItem = z.infer<typeof ChecklistItem>

const periodFields = {
  period: PeriodName,
  status,
  from: z.iso.datetime().meta({ description: 'Begin of the window, included.' }),
  to: z.iso.datetime().meta({ description: 'End of the window, not included.' }),
  hash: z.string().nullable().meta({
    description: 'Hex SHA-256 of the RFC 8785 form of {period, trial_balance, proof}. `null` while open.',
  }),
  closed_at: z.iso.datetime().nullable(),
}

export const PeriodSummary = z
  .object(periodFields)
  .meta({ id: 'PeriodSummary', description: 'A period, as the list shows it.' })
export type PeriodSummary = z.infer<typeof PeriodSummary>

export const Period = z
  .object({
    ...periodFields,
    checklist: z.array(ChecklistItem).readonly().meta({
      description: 'Conditions of the close: as they are now while open, else as they were.',
    }),
    trial_balance: z.array(TrialBalanceLine).readonly().meta({
      description: 'Sums at the end of the window, or now in one that has not ended.',
    }),
    proof: z.array(ProofBlock).readonly(),
    adjustments: z
      .array(
        z.object({
          journal_id: z.string(),
          type: z.string(),
          reference: z.string(),
          network: z.string().nullable(),
          recorded_at: z.iso.datetime(),
        }),
      )
      .readonly()
      .meta({
        description:
          'Journals of this period that belong to an earlier, closed one by their cause. At most 1,000, the oldest.',
      }),
    adjustments_total: z.int().meta({ description: 'How many there are.' }),
    adjustments_truncated: z.boolean().meta({
      description: 'Whether `adjustments` lacks some. `GET /statements/{period}?format=csv` has all.',
    }),
    approval: AwaitedApproval.nullable().meta({
      description: 'Where a close or a re-opening waits for its approvals. `null` where none does.',
    }),
  })
  .meta({ id: 'Period', description: 'A month of the books.' })
export type Period = z.infer<typeof Period>

/** The body of `POST /periods/close`. */
export const ClosePeriod = z.strictObject({ period: PeriodName })
export type ClosePeriod = z.input<typeof ClosePeriod>

/** The body of `POST /periods/{period}/reopen`. */
export const ReopenPeriod = z.strictObject({
  reason: z.string().min(1).max(1_000).default('none given').meta({ description: 'Default: `none given`.' }),
})
export type ReopenPeriod = z.input<typeof ReopenPeriod>

/** The query of `GET /periods`. */
export const PeriodFilter = z.strictObject({ ...pagingFields, status: status.optional() })
export type PeriodFilter = z.input<typeof PeriodFilter>
