/** Decisions of the operator about a merchant: suspend it, resume it, and enable or disable a rail. */

import { KeyturnError } from '../../domain/errors.js'
import { appendAudit } from '../audit/append-audit.js'
import { json, type Transaction } from '../connect.js'
import { endPause } from '../controls/pauses/resume-settlement.js'
import { newId } from '../new-id.js'
import { OPERATOR } from './operator.js'
import { merchantNotFound } from './require-merchant.js'

export interface MerchantDecision {
  readonly merchantId: string
  readonly reason: string
  /** JSON that a person gave. `null` where there is none. */
  readonly evidence: unknown
  /** Actor for the audit log. */
  readonly actor: string
}

type Kind = 'suspended' | 'resumed' | 'rail_enabled' | 'rail_disabled'

/**
 * Suspends the merchant: nothing new is made, and what is approved waits. Watching and crediting go on.
 *
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE` if it is not active.
 */
export async function suspendMerchant(tx: Transaction, decision: MerchantDecision): Promise<void> {
  const { merchantId, reason, actor } = decision
  await requireStatus(tx, merchantId, 'active')
  await tx`UPDATE merchants SET status = 'suspended' WHERE id = ${merchantId}`
  await tx`
    INSERT INTO settlement_pauses (id, placed_by, merchant_id, reason, actor)
    VALUES (${newId('pse')}, 'suspension', ${merchantId}, ${reason}, ${actor})`
  await record(tx, 'suspended', decision)
}

/** Ends the suspension. @throws KeyturnError `NOT_FOUND`, `INVALID_STATE` if it is not suspended. */
export async function resumeMerchant(tx: Transaction, decision: MerchantDecision): Promise<void> {
  const { merchantId, reason, actor } = decision
  await requireStatus(tx, merchantId, 'suspended')
  await tx`UPDATE merchants SET status = 'active' WHERE id = ${merchantId}`
  const [pause] = await tx<{ id: string }[]>`
    SELECT id FROM settlement_pauses
    WHERE merchant_id = ${merchantId} AND placed_by = 'suspension' AND resumed_at IS NULL`
  if (pause) await endPause(tx, pause.id, { actor, data: { reason } })
  await record(tx, 'resumed', decision)
}

/**
 * Enables or disables a rail. A rail that is off refuses payments, addresses and withdrawals; what is paid to its
 * addresses is credited all the same.
 *
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE` if it is so already.
 */
export async function decideRail(
  tx: Transaction,
  decision: MerchantDecision & { readonly network: string; readonly coin: string; readonly enabled: boolean },
): Promise<void> {
  const { merchantId, network, coin, enabled } = decision
  await lockStatus(tx, merchantId)
  const changed = enabled
    ? await tx`
        INSERT INTO merchant_rails (merchant_id, network, coin) VALUES (${merchantId}, ${network}, ${coin})
        ON CONFLICT DO NOTHING RETURNING network`
    : await tx`
        DELETE FROM merchant_rails
        WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin} RETURNING network`
  if (changed.length === 0) {
    throw new KeyturnError('INVALID_STATE', `${coin} on ${network} is ${enabled ? 'on' : 'off'} already`, {
      details: { network, coin, enabled },
    })
  }
  await record(tx, enabled ? 'rail_enabled' : 'rail_disabled', decision, { network, coin })
}

async function lockStatus(tx: Transaction, merchantId: string): Promise<string> {
  const [row] = await tx<{ status: string }[]>`
    SELECT status FROM merchants WHERE id = ${merchantId} AND id <> ${OPERATOR} FOR NO KEY UPDATE`
  if (!row) throw merchantNotFound(merchantId)
  return row.status
}

async function requireStatus(tx: Transaction, merchantId: string, wanted: string): Promise<void> {
  const status = await lockStatus(tx, merchantId)
  if (status === wanted) return
  throw new KeyturnError('INVALID_STATE', `The merchant is ${status}, not ${wanted}`, { details: { status } })
}

async function record(
  tx: Transaction,
  kind: Kind,
  { merchantId, reason, evidence, actor }: MerchantDecision,
  rail: { readonly network?: string; readonly coin?: string } = {},
): Promise<void> {
  const { network = null, coin = null } = rail
  await tx`
    INSERT INTO merchant_decisions (id, merchant_id, kind, network, coin, reason, evidence, actor)
    VALUES (${newId('mdc')}, ${merchantId}, ${kind}, ${network}, ${coin}, ${reason},
            ${evidence === null ? null : json(tx, evidence)}, ${actor})`
  await appendAudit(tx, {
    merchantId,
    actor,
    action: `merchant.${kind}`,
    subject: merchantId,
    data: { reason, evidence, ...rail },
  })
}
