/** The whitelist of destinations. */

import { z } from 'zod'
import { WHITELIST_STATUSES } from '../domain/controls/whitelist-status.js'
import { controlChangeFields } from './control-change.js'
import { pagingFields } from './paging.js'

const status = z.enum(WHITELIST_STATUSES)
const limit = z
  .string()
  .regex(/^(0|[1-9]\d{0,40})(\.\d{1,36})?$/, 'a decimal amount in whole coins, for example "1000.00"')
  .meta({ example: '1000.00', description: 'In whole coins of the coin that is sent there.' })

export const WhitelistEntry = z
  .object({
    id: z.string().meta({ example: 'wla_0193…' }),
    address: z.string(),
    network: z.string(),
    label: z.string(),
    daily_limit: z.string().nullable(),
    monthly_limit: z.string().nullable(),
    status,
    ...controlChangeFields,
  })
  .meta({ id: 'WhitelistEntry', description: 'An address to which withdrawals may go without a review.' })
export type WhitelistEntry = z.infer<typeof WhitelistEntry>

/** The body of `POST /whitelist/addresses`. */
export const NewWhitelistEntry = z.strictObject({
  address: z.string().min(1).max(200).meta({ example: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e' }),
  network: z.string().min(1).max(31).meta({ example: 'ethereum' }),
  label: z.string().min(1).max(255).meta({ example: 'Customer Wallet' }),
  daily_limit: limit.optional(),
  monthly_limit: limit.optional(),
})
export type NewWhitelistEntry = z.input<typeof NewWhitelistEntry>

/** The query of `GET /whitelist/addresses`. */
export const WhitelistFilter = z.strictObject({
  ...pagingFields,
  network: z.string().optional(),
  address: z.string().optional(),
  status: status.optional(),
})
export type WhitelistFilter = z.input<typeof WhitelistFilter>
