/** Transfers: amounts that move between users, or a user and the merchant, on the books alone. */

import { z } from 'zod'
import { pagingFields } from './paging.js'
import { windowFields } from './time.js'
import { Amount } from './withdrawal.js'

const party = z.string().min(1).max(255).nullable()

export const Transfer = z
  .object({
    id: z.string().meta({ example: 'trf_0193…' }),
    from_user_reference: z
      .string()
      .nullable()
      .meta({ description: "Who paid. `null` is the merchant's own account." }),
    to_user_reference: z
      .string()
      .nullable()
      .meta({ description: "Who received. `null` is the merchant's own account." }),
    network: z.string(),
    coin: z.string(),
    amount: Amount,
    external_id: z.string().nullable(),
    reason: z.string(),
    journal_id: z.string().meta({ description: 'Id of the journal in the ledger.' }),
    created_at: z.string(),
  })
  .meta({ id: 'Transfer', description: 'An amount that moved on the books alone.' })
export type Transfer = z.infer<typeof Transfer>

/** The body of `POST /transfers`. */
export const NewTransfer = z.strictObject({
  from_user_reference: party.meta({ description: "User who pays. `null`: the merchant's own account." }),
  to_user_reference: party.meta({ description: "User who receives. `null`: the merchant's own account." }),
  network: z.string().min(1).max(31).meta({ example: 'ethereum' }),
  coin: z.string().min(1).max(31).meta({ example: 'usdt' }),
  amount: Amount,
  external_id: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: "The merchant's own id. No other transfer of the merchant may ever have it." }),
  reason: z.string().min(1).max(1_000).meta({ example: 'order 1234' }),
})
export type NewTransfer = z.input<typeof NewTransfer>

/** The query of `GET /transfers`. */
export const TransferFilter = z.strictObject({
  ...pagingFields,
  user_reference: z.string().optional().meta({ description: 'User who paid or received.' }),
  network: z.string().optional(),
  coin: z.string().optional(),
  external_id: z.string().optional(),
  ...windowFields,
})
export type TransferFilter = z.input<typeof TransferFilter>
