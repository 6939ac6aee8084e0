/** Wallets: the merchant's own addresses, from which payouts and fees are paid. */

import { z } from 'zod'
import { Balance } from './balance.js'
import { pagingFields } from './paging.js'

const kind = z.enum(['master', 'hot', 'gas'])

export const Wallet = z
  .object({
    id: z.string(),
    kind,
    network: z.string(),
    address: z.string(),
    balances: z.array(Balance).readonly(),
  })
  .meta({ id: 'Wallet', description: "One of the merchant's own wallets, with what it holds." })
export type Wallet = z.infer<typeof Wallet>

/** The query of `GET /wallets`. */
export const WalletFilter = z.strictObject({
  ...pagingFields,
  network: z.string().optional(),
  kind: kind.optional(),
})
export type WalletFilter = z.input<typeof WalletFilter>

/** The body of `POST /wallets`. */
export const NewWallet = z.strictObject({
  network: z.string().min(1).max(31),
  kind: z.literal('hot'),
  label: z.string().min(1).max(255).optional(),
})
export type NewWallet = z.input<typeof NewWallet>
