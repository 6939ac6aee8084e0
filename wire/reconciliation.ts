/** Reconciliation: runs that compare the books with the chain, with the merchant's orders and with themselves. */

import { z } from 'zod'
import { RECONCILIATION_SCOPES } from '../domain/books/difference.js'
import { Failure } from './failure.js'
import { pagingFields } from './paging.js'

const count = z.int().min(0)

export const Difference = z
  .object({
    subject: z
      .object({ type: z.string().meta({ example: 'order' }), id: z.string() })
      .meta({ description: 'Object that differs.' }),
    address: z.string().optional(),
    outpoint: z.string().optional().meta({ description: 'Transaction and index: `txid:vout`.' }),
    account: z.string().optional().meta({
      example: 'available:user-7',
      description: 'Account of the ledger, as its export names it.',
    }),
    order_id: z.string().optional(),
    field: z
      .string()
      .optional()
      .meta({ example: 'amount', description: 'Field of the object that differs, where it has several.' }),
    network: z.string().nullable().meta({ description: '`null` where the object has none.' }),
    coin: z.string().nullable().meta({ description: '`null` where the object has none.' }),
    expected: z.string().nullable().meta({
      description:
        'Value of the source that the check trusts: the chain, the order, the entries of the ledger. `null` where it has none.',
    }),
    actual: z
      .string()
      .nullable()
      .meta({ description: 'Value of the checked side: the books. `null` where it has none.' }),
    reason: z.string().optional().meta({ description: 'Cause, in one sentence for people.' }),
  })
  .meta({ id: 'Difference', description: 'One thing about which two sources say something different.' })
export type Difference = z.infer<typeof Difference>

export const ReconciliationCheck = z
  .object({
    name: z.string().meta({
      example: 'balances',
      description: 'A check of the ledger against itself, `orders`, or `chain:` and a network.',
    }),
    ok: z.boolean(),
    differences: z
      .array(Difference)
      .readonly()
      .meta({ description: 'The first 100. Empty exactly when `ok`.' }),
    differences_count: count.meta({ description: 'All differences.' }),
    expected: z
      .array(Difference)
      .readonly()
      .meta({ description: 'The first 100 of what is not due yet. It is no difference.' }),
    expected_count: count.meta({ description: 'All that is not due yet.' }),
    examined: count.meta({ description: 'Rows that were compared.' }),
  })
  .meta({ id: 'ReconciliationCheck', description: 'The result of one check.' })
export type ReconciliationCheck = z.infer<typeof ReconciliationCheck>

export const ReconciliationScope = z.enum(RECONCILIATION_SCOPES).meta({
  id: 'ReconciliationScope',
  description: "What the ledger is compared with: `chain`, the merchant's `orders`, or itself (`internal`).",
})
export type ReconciliationScope = z.infer<typeof ReconciliationScope>

export const RECONCILIATION_STATUSES = ['running', 'clean', 'differences', 'failed'] as const
export const RECONCILIATION_CAUSES = ['request', 'schedule', 'period'] as const

export const ReconciliationRun = z
  .object({
    id: z.string().meta({ example: 'rec_0193…' }),
    status: z.enum(RECONCILIATION_STATUSES).meta({
      description:
        '`clean`: every check is `ok`. `differences`: one is not. `failed`: a check could not be made.',
    }),
    cause: z.enum(RECONCILIATION_CAUSES).meta({
      description: 'Who started it: a `request`, the daily `schedule` or the close of a `period`.',
    }),
    scope: z.array(ReconciliationScope).readonly(),
    networks: z
      .array(z.string())
      .readonly()
      .nullable()
      .meta({ description: 'Networks that it is limited to. `null`: all.' }),
    at_block: z
      .int()
      .nullable()
      .meta({ description: 'Height at which the chain is compared. `null`: the newest settled one.' }),
    progress: z.number().min(0).max(1).meta({ description: 'Share of the checks that are done.' }),
    checks: z
      .array(ReconciliationCheck)
      .readonly()
      .meta({ description: 'Checks that are done. Empty in lists.' }),
    blocks: z
      .array(z.object({ network: z.string(), block_number: z.int(), block_hash: z.string() }))
      .readonly()
      .meta({ description: 'Blocks at which the chain was compared.' }),
    failure: Failure.nullable(),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ReconciliationRun', description: 'A comparison of the books. It reads and never repairs.' })
export type ReconciliationRun = z.infer<typeof ReconciliationRun>

/** The body of `POST /reconciliation/runs`. */
export const NewReconciliationRun = z
  .strictObject({
    scope: z
      .array(z.enum(RECONCILIATION_SCOPES))
      .min(1)
      .max(RECONCILIATION_SCOPES.length)
      .refine((scopes) => new Set(scopes).size === scopes.length, 'names a scope twice')
      .optional()
      .meta({ description: 'Default: all.' }),
    networks: z
      .array(z.string().min(1).max(31))
      .min(1)
      .max(100)
      .refine((names) => new Set(names).size === names.length, 'names a network twice')
      .optional()
      .meta({ description: 'Default: all networks.' }),
    at_block: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'Height at which the chain is compared. It needs exactly one network.' }),
  })
  .refine(({ networks, at_block }) => at_block === undefined || networks?.length === 1, {
    path: ['at_block'],
    message: 'needs exactly one network in `networks`',
  })
export type NewReconciliationRun = z.input<typeof NewReconciliationRun>

/** The query of `GET /reconciliation/runs`. */
export const ReconciliationRunFilter = z.strictObject({ ...pagingFields })
export type ReconciliationRunFilter = z.input<typeof ReconciliationRunFilter>

/** A difference in the list of a run, with the check that found it. */
export const FoundDifference = z
  .object({
    number: z.int().meta({ description: 'Counts the differences of a check from 1.' }),
    check: z.string(),
    difference: Difference,
  })
  .meta({ id: 'FoundDifference', description: 'A difference of a run.' })
export type FoundDifference = z.infer<typeof FoundDifference>

/** The query of `GET /reconciliation/runs/{id}/differences`. */
export const DifferenceFilter = z.strictObject({
  ...pagingFields,
  check: z.string().min(1).max(100).meta({ description: 'Name of the check.' }),
  expected: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: '`true`: what is not due yet, instead of the differences.' }),
})
export type DifferenceFilter = z.input<typeof DifferenceFilter>
