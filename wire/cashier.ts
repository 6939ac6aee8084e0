/** Cashier sessions: links to a page where a user of a merchant deposits or withdraws. */

import { z } from 'zod'

export const CashierAction = z.enum(['deposit', 'withdrawal'])
export type CashierAction = z.infer<typeof CashierAction>

export const CashierSession = z
  .object({
    id: z.string().meta({ example: 'csh_0193…' }),
    url: z.string().meta({ description: 'Link for the user. It opens the page once.' }),
    expires_at: z.iso.datetime().meta({ description: 'Time until which the link has to be opened.' }),
  })
  .meta({ id: 'CashierSession', description: 'A link by which one user enters the cashier once.' })
export type CashierSession = z.infer<typeof CashierSession>

/** The body of `POST /cashier-sessions`. */
export const NewCashierSession = z
  .strictObject({
    user_reference: z
      .string()
      .min(1)
      .max(255)
      .meta({ description: 'User whose addresses and balance the page shows.' }),
    action: CashierAction.meta({ description: 'The only thing that the page lets the user do.' }),
    coins: z
      .array(z.strictObject({ network: z.string().min(1).max(31), coin: z.string().min(1).max(31) }))
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'Coins that the page offers. Default: every enabled coin.' }),
    language: z
      .enum(['en', 'de', 'es', 'fr', 'ar'])
      .optional()
      .meta({ description: 'Language of the page. Default: that of the browser.' }),
    return_url: z
      .string()
      .min(1)
      .max(2_048)
      .optional()
      .meta({ description: 'Absolute https URL to which the page links back.' }),
  })
  .meta({ description: 'Requests a session of the cashier for one user.' })
export type NewCashierSession = z.input<typeof NewCashierSession>
