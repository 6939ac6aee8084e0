/** Finds the session that a cookie belongs to. */

import { timingSafeEqual } from 'node:crypto'
import type { CashierAction } from '../../wire/cashier.js'
import type { Queryable } from '../connect.js'
import type { SessionCoin } from './create-session.js'
import { hashSecret } from './secrets.js'

/** Session that its user has entered. */
export interface SessionRow {
  readonly id: string
  readonly merchant_id: string
  readonly merchant_name: string
  /** Colour of the pages, `#` and six hex digits. `null` for ours. */
  readonly merchant_colour: string | null
  readonly user_reference: string
  readonly action: CashierAction
  readonly coins: readonly SessionCoin[] | null
  readonly language: string | null
  readonly return_url: string | null
  readonly initiator: string
  readonly expires_at: Date
}

/**
 * Returns the session. `null` if it is unknown, over, its secret is another one, its key was revoked or its
 * merchant is not active.
 */
export async function findCashierSession(
  sql: Queryable,
  id: string,
  secret: string,
): Promise<SessionRow | null> {
  const [row] = await sql<(SessionRow & { readonly secret_hash: Buffer })[]>`
    SELECT session.id, session.merchant_id, merchant.name AS merchant_name, merchant.colour AS merchant_colour, session.user_reference, session.action,
           session.coins, session.language, session.return_url, session.initiator, session.expires_at,
           session.secret_hash
    FROM cashier_sessions session
    JOIN merchants merchant ON merchant.id = session.merchant_id AND merchant.status = 'active'
    JOIN api_keys key ON key.id = session.api_key_id AND key.revoked_at IS NULL
    WHERE session.id = ${id} AND session.expires_at > clock_timestamp()`
  if (!row || !timingSafeEqual(row.secret_hash, hashSecret(secret))) return null
  const { secret_hash: _, ...session } = row
  return session
}
