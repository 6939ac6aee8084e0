/** Says which exceptions about deposits the platform closed because they were gone, and stand again with them. */

import type { ExceptionKind } from '../../domain/books/exception.js'
import { GONE_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import type { PaymentFlag } from '../../domain/payments/payment-status.js'
import type { NewException } from '../books/exceptions/raise-exception.js'
import type { Transaction } from '../connect.js'
import { members } from '../members.js'
import type { PaymentRow } from './payment-row.js'

/** Flags of a payment one of which each of these exceptions sets. Most payments have none, and cost no query. */
const FLAGS: readonly PaymentFlag[] = ['late', 'multiple_deposits', 'wrong_coin']

/** Exceptions that one change raises again. A payer decides how many deposits a payment has. */
const MOST = 500

/**
 * Returns the exceptions that `closeGoneCauses` closed and whose deposits are there again. A resolution by a person
 * stays.
 *
 * @param payments - Locked payments, as they were just written.
 */
export async function returnedExceptions(
  tx: Transaction,
  payments: readonly PaymentRow[],
): Promise<NewException[]> {
  const flagged = payments.filter(({ flags }) => flags.some((flag) => FLAGS.includes(flag)))
  if (flagged.length === 0) return []
  const rows = await tx<Closed[]>`
    SELECT exception.merchant_id, exception.kind, exception.detail, exception.cause, exception.reason,
           exception.subject_type, exception.subject_id, exception.payment_id, exception.user_reference,
           exception.expected, exception.actual, exception.evidence - 'closed_by' AS evidence
    FROM exceptions exception
    JOIN payments payment ON payment.id = exception.payment_id
    JOIN deposits deposit ON deposit.id = exception.evidence ->> 'deposit_id'
    WHERE exception.merchant_id = ANY (${[...new Set(flagged.map((row) => row.merchant_id))]})
      AND exception.payment_id = ANY (${flagged.map((row) => row.id)})
      AND exception.kind IN ('late', 'wrong_coin', 'duplicate') AND exception.resolution = 'cause_gone'
      AND deposit.status NOT IN ${members(tx, GONE_DEPOSITS)}
      AND (exception.kind <> 'duplicate'
           OR payment.amount_detected - deposit.amount >= greatest(1, payment.amount - payment.allowance))
      AND NOT EXISTS (
        SELECT FROM exceptions later
        WHERE later.merchant_id = exception.merchant_id AND later.cause = exception.cause AND later.id > exception.id)
    ORDER BY exception.id LIMIT ${MOST}`
  return rows.map((row) => ({
    merchantId: row.merchant_id,
    kind: row.kind,
    detail: row.detail,
    cause: row.cause,
    subject: { type: row.subject_type, id: row.subject_id },
    reason: row.reason,
    expected: row.expected,
    actual: row.actual,
    paymentId: row.payment_id,
    userReference: row.user_reference,
    evidence: row.evidence,
  }))
}

interface Closed {
  readonly merchant_id: string
  readonly kind: ExceptionKind
  readonly detail: string
  readonly cause: string
  readonly reason: string
  readonly subject_type: string
  readonly subject_id: string
  readonly payment_id: string
  readonly user_reference: string | null
  readonly expected: string | null
  readonly actual: string | null
  readonly evidence: Readonly<Record<string, unknown>>
}
