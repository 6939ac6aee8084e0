/** Creates a session of the cashier with its one-time token. */

import type { CashierAction, CashierSession } from '../../wire/cashier.js'
import { appendAudit } from '../audit/append-audit.js'
import { json, type Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import { hashSecret, newSecret } from './secrets.js'

/** Milliseconds within which the link has to be opened. */
export const TOKEN_LIFE_MS = 60_000

/** Coin that a session offers. */
export interface SessionCoin {
  readonly network: string
  readonly coin: string
}

export interface SessionRequest {
  readonly merchantId: string
  readonly userReference: string
  readonly action: CashierAction
  /** `null` offers every coin that the merchant has enabled. */
  readonly coins: readonly SessionCoin[] | null
  /** `null` follows the browser. */
  readonly language: string | null
  readonly returnUrl: string | null
  readonly apiKeyId: string
  /** Id of the person or API key, who may not approve the session's withdrawals. */
  readonly initiator: string
  /** Actor in the audit log. */
  readonly actor: string
  /** Returns the link of a token. */
  readonly linkOf: (token: string) => string
}

/** Creates the session. The link is in the answer alone; the database has a hash of its token. */
export async function createCashierSession(
  tx: Transaction,
  request: SessionRequest,
): Promise<CashierSession> {
  const { merchantId, userReference, action, coins } = request
  const id = newId('csh')
  const token = newSecret()
  const [row] = await tx<{ expires_at: Date }[]>`
    INSERT INTO cashier_sessions (id, merchant_id, user_reference, action, coins, language, return_url, api_key_id,
                                  initiator, token_hash, token_expires_at, created_at)
    VALUES (${id}, ${merchantId}, ${userReference}, ${action}, ${coins && json(tx, coins)}, ${request.language},
            ${request.returnUrl}, ${request.apiKeyId}, ${request.initiator}, ${hashSecret(token)},
            clock_timestamp() + ${TOKEN_LIFE_MS} * interval '1 millisecond', clock_timestamp())
    RETURNING token_expires_at AS expires_at`
  if (!row) throw new Error('The session was not stored')
  await appendAudit(tx, {
    merchantId,
    actor: request.actor,
    action: 'cashier_session.created',
    subject: id,
    data: { user_reference: userReference, action, coins },
  })
  return { id, url: request.linkOf(token), expires_at: row.expires_at.toISOString() }
}
