/** Uses up the one-time token of a session, or says why it cannot be used. */

import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Queryable, type Sql } from '../connect.js'
import { hashSecret, newSecret } from './secrets.js'

/** Seconds for which the cookie, and with it the session, is valid. */
export const SESSION_LIFE_SECONDS = 900

/** State of a token: `usable`, or used or expired (`gone`), or nothing that was ever issued. */
export type TokenState = 'usable' | 'gone' | 'unknown'

export type UsedToken =
  | {
      readonly state: 'used'
      readonly sessionId: string
      /** Secret of the session. Only the cookie has it. */
      readonly secret: string
    }
  | { readonly state: 'gone' }
  | { readonly state: 'unknown' }

/**
 * Uses the token up and begins the session. One statement decides, so of several requests with the same token
 * exactly one begins it. A token that was used or has expired is recorded as `cashier_session.reused`.
 */
export function useCashierToken(sql: Sql, token: string): Promise<UsedToken> {
  const secret = newSecret()
  return inTransaction(sql, async (tx) => {
    const [begun] = await tx<{ id: string; merchant_id: string }[]>`
      UPDATE cashier_sessions
      SET used_at = clock_timestamp(), secret_hash = ${hashSecret(secret)},
          expires_at = clock_timestamp() + ${SESSION_LIFE_SECONDS} * interval '1 second'
      WHERE token_hash = ${hashSecret(token)} AND used_at IS NULL AND token_expires_at > clock_timestamp()
      RETURNING id, merchant_id`
    if (begun) {
      await appendAudit(tx, {
        merchantId: begun.merchant_id,
        actor: sessionActor(begun.id),
        action: 'cashier_session.opened',
        subject: begun.id,
      })
      return { state: 'used', sessionId: begun.id, secret }
    }
    const [known] = await tx<{ id: string; merchant_id: string; used: boolean }[]>`
      SELECT id, merchant_id, used_at IS NOT NULL AS used FROM cashier_sessions
      WHERE token_hash = ${hashSecret(token)}`
    if (!known) return { state: 'unknown' }
    await appendAudit(tx, {
      merchantId: known.merchant_id,
      actor: 'system:cashier',
      action: 'cashier_session.reused',
      subject: known.id,
      data: { reason: known.used ? 'used' : 'expired' },
    })
    return { state: 'gone' }
  })
}

/** Returns the state of a token without using it. */
export async function readTokenState(sql: Queryable, token: string): Promise<TokenState> {
  const [known] = await sql<{ usable: boolean }[]>`
    SELECT used_at IS NULL AND token_expires_at > clock_timestamp() AS usable FROM cashier_sessions
    WHERE token_hash = ${hashSecret(token)}`
  return known ? (known.usable ? 'usable' : 'gone') : 'unknown'
}

/** Returns the actor of the audit log for what the user of a session does. */
export function sessionActor(id: string): string {
  return `cashier-session:${id}`
}
