/** Reports to the merchant, and in the audit log, that a signer claimed a request and does not answer it. */

import { subjectOf } from '../../../domain/books/exception.js'
import { appendAudit } from '../../audit/append-audit.js'
import { raiseException } from '../../books/exceptions/raise-exception.js'
import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'

/**
 * Raises `signing_request.unanswered` about a payout whose request was passed.
 *
 * @param actor - Who decided it: a person, or the platform after a time.
 * @param facts - What both records contain besides the payout's network.
 */
export async function reportUnanswered(
  tx: Transaction,
  row: Pick<PayoutRow, 'id' | 'merchant_id' | 'network'>,
  actor: string,
  facts: { readonly message: string; readonly request_id: string; readonly signer_id: string } & Readonly<
    Record<string, unknown>
  >,
): Promise<void> {
  const { message, ...rest } = facts
  const data = { message, network: row.network, ...rest }
  await raiseException(tx, {
    merchantId: row.merchant_id,
    kind: 'stuck',
    detail: 'signing_request.unanswered',
    cause: `unanswered:${facts.request_id}`,
    severity: 'critical',
    subject: subjectOf(row.id),
    reason: message,
    expected: 'an answer of the signer',
    actual: 'none',
    evidence: data,
  })
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor,
    action: 'signing_request.passed',
    subject: row.id,
    data,
  })
}
