/** Batches: many payouts under one round of approvals. */

import { z } from 'zod'
import { BATCH_STAGES, BATCH_STATUSES } from '../domain/payouts/batch-status.js'
import { WITHDRAWAL_STATUSES } from '../domain/payouts/withdrawal-stage.js'
import { controlFields } from './approval.js'
import { Failure } from './failure.js'
import { pagingFields } from './paging.js'
import { Priority, RequestedPriority } from './priority.js'
import { WithdrawalStatus } from './withdrawal.js'

/** Items of one batch. */
const MOST_ITEMS = 1_000

const amount = z.string().min(1).max(100).meta({ example: '50.00' })
const status = z.enum(BATCH_STATUSES)
const stage = z.enum(BATCH_STAGES)

export const BatchSummary = z
  .object({
    id: z.string().meta({ example: 'batch_0193…' }),
    status,
    stage: stage.meta({ description: 'The stage of the batch itself behind `status`.' }),
    network: z.string(),
    coin: z.string(),
    amount: z.string().meta({ description: 'Sum of all items.' }),
    item_count: z.int(),
    fee: z.string().meta({
      description: 'In whole `fee_coin`, over all transactions. Estimates until the fees are known.',
    }),
    fee_coin: z.string(),
    fee_limit: z.string().meta({ description: 'The most that all fees together may be. Held.' }),
    priority: Priority,
    user_reference: z.string().nullable(),
    external_id: z.string().nullable(),
    ...controlFields,
    failure: Failure.nullable(),
    history: z.array(z.object({ stage, status, at: z.string(), cause: z.string() })).readonly(),
    expires_at: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    completed_at: z.string().nullable(),
  })
  .meta({ id: 'BatchSummary', description: 'A batch without its items.' })
export type BatchSummary = z.infer<typeof BatchSummary>

/** How many items have each status; the sum is the number of items. */
export const ItemCounts = z.record(z.enum(WITHDRAWAL_STATUSES), z.int())

/** One recipient of a batch. */
export const BatchItem = z
  .object({
    id: z.string().meta({ example: 'item_0193…' }),
    index: z.int().meta({ description: 'Place in `outputs` of the request, from 0.' }),
    to_address: z.string(),
    amount: amount.meta({ description: 'As it was sent.' }),
    status: WithdrawalStatus,
    transaction_hash: z.string().nullable(),
    failure: Failure.nullable(),
  })
  .meta({ id: 'BatchItem', description: 'One recipient of a batch.' })
export type BatchItem = z.infer<typeof BatchItem>

export const Batch = BatchSummary.extend({
  counts: ItemCounts.meta({ description: 'How many items have each status.' }),
  items: z.array(BatchItem).readonly(),
}).meta({ id: 'Batch', description: 'Many payouts under one round of approvals.' })
export type Batch = z.infer<typeof Batch>

/** The body of `POST /withdrawals/batch`. The same address twice stays two items. */
export const NewBatch = z.strictObject({
  batch_withdrawal: z.strictObject({
    network: z.string().min(1).max(31).meta({ example: 'ethereum' }),
    coin: z.string().min(1).max(31).meta({ example: 'usdt' }),
    outputs: z
      .array(z.strictObject({ to_address: z.string().min(1).max(200), amount }))
      .min(1)
      .max(MOST_ITEMS)
      .readonly(),
    priority: RequestedPriority,
  }),
  user_reference: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: "User whose balance pays. Default: the merchant's own account." }),
  external_id: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: "The merchant's own id. No other batch of the merchant may ever have it." }),
})
export type NewBatch = z.input<typeof NewBatch>

/** The query of `GET /batches`. */
export const BatchFilter = z.strictObject({
  ...pagingFields,
  status: status.optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
  user_reference: z.string().optional(),
  external_id: z.string().optional(),
})
export type BatchFilter = z.input<typeof BatchFilter>
