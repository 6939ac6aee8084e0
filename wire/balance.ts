/** Balances per coin. */

import { z } from 'zod'
import { pagingFields } from './paging.js'
import { DayOrInstant } from './time.js'
import { wholeNumber } from './whole-number.js'

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
    description: 'What of `blockchain` can pay now, in however many payouts. `null` for the past.',
  }),
  spendable_at_once: amount
    .nullable()
    .meta({ description: 'The most that one payout can take of it. `null` for the past.' }),
}).meta({ id: 'SpendableBalance', description: 'A balance, and what of it can pay now.' })
export type SpendableBalance = z.infer<typeof SpendableBalance>

/** The query of `GET /balances`. */
export const BalanceFilter = z.strictObject({
  user_reference: z.string().optional(),
  address_id: z.string().optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
  account: z
    .enum(['merchant'])
    .optional()
    .meta({ description: "`merchant`: the merchant's own account and its wallets alone." }),
  as_of: DayOrInstant.transform((text) => new Date(text))
    .optional()
    .meta({
      type: 'string',
      description: 'What the books said at that instant, or at the midnight of a day in UTC.',
    }),
  as_of_block: wholeNumber(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'What the books say, counting blocks up to this one. It needs `network`.' }),
})
export type BalanceFilter = z.input<typeof BalanceFilter>

export const BalanceTotals = z
  .object({
    network: z.string(),
    coin: z.string(),
    user_reference: z
      .string()
      .nullable()
      .optional()
      .meta({ description: "By user alone. `null` is the merchant's own account." }),
    address_id: z.string().optional().meta({ description: 'By address alone.' }),
    address: z.string().nullable().optional().meta({ description: 'By address alone.' }),
    deposited: amount.meta({ description: 'What deposits brought, less what reorganisations took back.' }),
    withdrawn: amount.meta({ description: 'What left to others, without fees.' }),
    fees: amount.meta({ description: 'What networks took.' }),
    transferred_in: amount.meta({
      description: 'What transfers brought; of an address, what came from other own addresses.',
    }),
    transferred_out: amount.meta({
      description: 'What transfers took; of an address, what went to other own addresses.',
    }),
    balance: amount.meta({
      description:
        '`available` and `reserved` together: deposited - withdrawn - fees + transferred_in - transferred_out.',
    }),
  })
  .meta({ id: 'BalanceTotals', description: 'What came in and left since the beginning, of one coin.' })
export type BalanceTotals = z.infer<typeof BalanceTotals>

/** The query of `GET /balances/totals`. */
export const BalanceTotalsFilter = z.strictObject({
  ...pagingFields,
  group_by: z.enum(['coin', 'user', 'address']).default('coin'),
  user_reference: z.string().optional(),
  address_id: z.string().optional(),
  account: z.enum(['merchant']).optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
})
export type BalanceTotalsFilter = z.input<typeof BalanceTotalsFilter>
