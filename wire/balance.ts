/** Balances per coin. */

import { z } from 'zod'
import { Instant } from './time.js'

const amount = z.string().meta({ example: '100.5' })

export const Balance = z
  .object({
    network: z.string(),
    coin: z.string(),
    available: amount.meta({ description: 'What may be withdrawn.' }),
    reserved: amount.meta({ description: 'Held for payouts, or confirmed and still being screened.' }),
    blockchain: amount.meta({ description: 'What the addresses hold on the chain, confirmed.' }),
    pending: amount.meta({ description: 'Seen on the chain and not yet confirmed.' }),
  })
  .meta({ id: 'Balance', description: 'The balance of one coin, in whole coins.' })
export type Balance = z.infer<typeof Balance>

export const SpendableBalance = Balance.extend({
  spendable: amount.nullable().meta({
    description: 'What of `blockchain` can pay now, in however many payouts. `null` with `as_of`.',
  }),
  spendable_at_once: amount
    .nullable()
    .meta({ description: 'The most that one payout can take of it. `null` with `as_of`.' }),
}).meta({ id: 'SpendableBalance', description: 'A balance, and what of it can pay now.' })
export type SpendableBalance = z.infer<typeof SpendableBalance>

/** The query of `GET /balances`. */
export const BalanceFilter = z.strictObject({
  user_reference: z.string().optional(),
  address_id: z.string().optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
  as_of: Instant.transform((text) => new Date(text))
    .optional()
    .meta({ type: 'string', format: 'date-time' }),
})
export type BalanceFilter = z.input<typeof BalanceFilter>
