/** Parts of batches and movements, as a person sees them who speeds one up, cancels or investigates it. */

import { z } from 'zod'
import { MOVEMENT_KINDS } from '../domain/payouts/treasury.js'
import { Withdrawal } from './withdrawal.js'

export const Payout = Withdrawal.pick({
  status: true,
  stage: true,
  network: true,
  coin: true,
  fee: true,
  fee_coin: true,
  fee_limit: true,
  priority: true,
  from_address: true,
  failure: true,
  waiting: true,
  speed_up: true,
  cancellation: true,
  attempts: true,
  investigation: true,
  transaction_hash: true,
  confirmations: true,
  required_confirmations: true,
  block_number: true,
  history: true,
  expires_at: true,
  created_at: true,
  updated_at: true,
  confirmed_at: true,
})
  .extend({
    id: z.string().meta({ example: 'part_0193…' }),
    kind: z.enum(['batch_part', ...MOVEMENT_KINDS]),
    batch_id: z.string().nullable().meta({ description: 'Id of the batch. `null` for a movement.' }),
    items: z
      .array(z.int())
      .readonly()
      .nullable()
      .meta({ description: "Indices of the batch's items that it pays. `null` for a movement." }),
  })
  .meta({ id: 'Payout', description: 'A part of a batch, or a movement, with its attempts.' })
export type Payout = z.infer<typeof Payout>
