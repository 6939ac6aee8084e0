/** Says which field of a withdrawal's form a refusal is about, in the user's words. */

import { KeyturnError } from '../../domain/errors.js'
import { type Content, fill, type Html } from '../pages/html.js'
import type { WithdrawalFields } from './withdrawal.js'
import type { CashierWords } from './words/en.js'

export type FieldName = 'coin' | 'amount' | 'to_address' | 'deduct'

export interface Refusal {
  readonly field: FieldName
  readonly text: Html
}

/**
 * Returns the field and the text. A limit of the merchant is not shown with its figures, which are not the
 * user's.
 *
 * @param fields - What the user typed.
 * @param networkName - Name of the network for people.
 * @returns `null` for an error that is not about what the user typed.
 */
export function explainRefusal(
  thrown: unknown,
  words: CashierWords,
  fields: WithdrawalFields,
  networkName: string,
): Refusal | null {
  if (!(thrown instanceof KeyturnError) || thrown.retryable) return null
  const { details } = thrown
  const about = (field: FieldName, text: string, values: Record<string, Content> = {}): Refusal => ({
    field,
    text: fill(text, values),
  })
  const ofCoin = (name: string) => `${details[name]} ${fields.coin.toUpperCase()}`
  switch (thrown.code) {
    case 'INVALID_AMOUNT':
      if (details.minimum !== undefined) {
        return about('amount', words.amount_small, { minimum: ofCoin('minimum') })
      }
      return details.decimals === undefined
        ? about('amount', words.amount_invalid)
        : about('amount', words.amount_decimals, { decimals: Number(details.decimals) })
    case 'INSUFFICIENT_BALANCE':
      // The fee of a token is the merchant's, and so is what is missing for it.
      return details.coin === fields.coin
        ? about('amount', words.amount_balance, {
            available: ofCoin('available'),
            requested: ofCoin('requested'),
          })
        : about('coin', words.coin_unavailable)
    case 'DAILY_LIMIT_EXCEEDED':
    case 'MONTHLY_LIMIT_EXCEEDED':
    case 'INVALID_STATE':
      return about('amount', words.amount_limit)
    case 'INVALID_ADDRESS':
      return about('to_address', words.address_invalid, { network: networkName })
    case 'NOT_WHITELISTED':
      return about('to_address', words.address_not_allowed)
    case 'VALIDATION_FAILED':
      return about('deduct', words.fee_token)
    case 'UNSUPPORTED_NETWORK':
    case 'UNSUPPORTED_COIN':
    case 'RAIL_NOT_ENABLED':
    case 'NO_SIGNER':
      return about('coin', words.coin_unavailable)
    default:
      return null
  }
}
