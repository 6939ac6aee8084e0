/** Estimates: what a withdrawal would cost at each priority. */

import { z } from 'zod'
import { Priority } from './priority.js'
import { Amount } from './withdrawal.js'

export const WithdrawalEstimate = z
  .object({
    network: z.string(),
    coin: z.string(),
    amount: Amount,
    fee_coin: z.string(),
    estimates: z
      .array(
        z.object({
          priority: Priority,
          description: z.string().meta({ example: 'Standard rate' }),
          fee_multiplier: z.string().meta({ example: '1.0' }),
          fee: z.string(),
          fee_limit: z.string(),
          confirmation_time: z.string().meta({ example: '10-30 minutes' }),
          estimated_confirmation_time: z.string(),
        }),
      )
      .readonly(),
  })
  .meta({
    id: 'WithdrawalEstimate',
    description: 'The fee of a withdrawal at each priority, in whole `fee_coin`.',
  })
export type WithdrawalEstimate = z.infer<typeof WithdrawalEstimate>

/** The body of `POST /withdrawals/estimate`. */
export const EstimateRequest = z.strictObject({
  network: z.string().min(1).max(31),
  coin: z.string().min(1).max(31),
  amount: Amount,
  to_address: z.string().min(1).max(200).optional(),
  from_address_id: z.string().min(1).max(255).optional(),
  priority: Priority.optional(),
})
export type EstimateRequest = z.input<typeof EstimateRequest>
