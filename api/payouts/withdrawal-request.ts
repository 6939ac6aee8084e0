/** What asks for a withdrawal, once or by a schedule: the fields of the request and what is checked of them. */

import { z } from '@hono/zod-openapi'
import type { Coin } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { parseAmount } from '../../domain/money.js'
import { PRIORITIES } from '../../domain/payouts/priority.js'
import type { ApiDependencies } from '../context.js'

/** Metadata is the merchant's own; it comes back as it was sent. */
const METADATA_BYTES = 16_384

/** Whole coins; parsed with the coin's decimals. */
export const amountSchema = z.string().min(1).max(100).openapi({ example: '100.50' })
export const metadataSchema = z
  .record(z.string().max(255), z.unknown())
  .refine(
    (value) => JSON.stringify(value).length <= METADATA_BYTES,
    `at most ${METADATA_BYTES} bytes of JSON`,
  )

/** The body of `POST /withdrawals`. */
export const newWithdrawal = z.strictObject({
  network: z.string().min(1).max(31).openapi({ example: 'ethereum' }),
  coin: z.string().min(1).max(31).openapi({ example: 'usdt' }),
  amount: amountSchema,
  to_address: z.string().min(1).max(200).openapi({ example: '0x742d35Cc6634C0532925a3b8D4C9db96590c6C87' }),
  from_address_id: z.string().min(1).max(255).optional(),
  priority: z.enum(PRIORITIES).default('normal'),
  metadata: metadataSchema.default({}),
  user_reference: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .openapi({ description: "Draws on this user; without it, on the merchant's own account." }),
  external_id: z
    .string()
    .min(1)
    .max(255)
    .refine(
      (text) => !/^wsc_[^:]*:/.test(text),
      'is of the form that firings of schedules have; choose another',
    )
    .optional()
    .openapi({ description: 'Unique for ever per merchant.' }),
  fee_payer: z.enum(['sender', 'recipient']).default('sender'),
})

/** @throws KeyturnError `VALIDATION_FAILED` where the recipient of a token should pay a fee that is another coin. */
export function requireSenderPays(feePayer: 'sender' | 'recipient', coin: Coin): void {
  if (feePayer === 'sender' || coin.contract === null) return
  throw new KeyturnError(
    'VALIDATION_FAILED',
    "fee_payer: the fee of a token is paid in the network's own coin, so the recipient cannot pay it",
    {
      details: {
        in: 'body',
        fields: [{ path: 'fee_payer', reason: 'recipient is for native coins only' }],
      },
    },
  )
}

/** From which country it is asked for; nothing, where no database is configured. */
export function originOf(
  { geography }: Pick<ApiDependencies, 'geography'>,
  ip: string | null,
): { country?: string | null } {
  return geography ? { country: ip === null ? null : geography.country(ip) } : {}
}

/** Base units of an amount that must be more than 0. @throws KeyturnError `INVALID_AMOUNT`. */
export function positiveAmount(text: string, decimals: number): bigint {
  const units = parseAmount(text, decimals)
  if (units > 0n) return units
  throw new KeyturnError('INVALID_AMOUNT', 'The amount must be more than 0')
}
