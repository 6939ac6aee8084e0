/** Checks the request of a withdrawal, for a single one and for a schedule. */

import type { Coin } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { parseAmount } from '../../domain/money.js'
import type { ApiDependencies } from '../context.js'

/** Requires that a token's recipient does not pay the fee, which is in another coin. @throws `VALIDATION_FAILED`. */
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

/** Returns the country of the request. It returns no field if no GeoIP database is configured. */
export function originOf(
  { geography }: Pick<ApiDependencies, 'geography'>,
  ip: string | null,
): { country?: string | null } {
  return geography ? { country: ip === null ? null : geography.country(ip) } : {}
}

/** Parses an amount above 0 into base units. @throws KeyturnError `INVALID_AMOUNT`. */
export function positiveAmount(text: string, decimals: number): bigint {
  const units = parseAmount(text, decimals)
  if (units > 0n) return units
  throw new KeyturnError('INVALID_AMOUNT', 'The amount must be more than 0')
}
