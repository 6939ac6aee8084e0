/** What asks for a withdrawal, once or by a schedule: the fields of the request and what is checked of them. */

import type { Coin } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { parseAmount } from '../../domain/money.js'
import type { ApiDependencies } from '../context.js'

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
