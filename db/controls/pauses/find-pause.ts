/** Finds the pauses of settlement that stand. */

import { explainPause, SETTLEMENT_PAUSED } from '../../../domain/controls/settlement-pause.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable } from '../../connect.js'
import type { PauseRow } from './pause-row.js'

/** A merchant's coin on a network. */
export interface Rail {
  readonly merchantId: string
  readonly network: string
  readonly coin: string
}

/** Returns the oldest pause that covers a rail. `null` while nothing stops it. */
export async function findPause(
  sql: Queryable,
  { merchantId, network, coin }: Rail,
): Promise<PauseRow | null> {
  const [row] = await sql<PauseRow[]>`SELECT * FROM standing_pause(${merchantId}, ${network}, ${coin})`
  return row ?? null
}

/** Refuses what must not begin during a pause. @throws KeyturnError `SETTLEMENT_PAUSED`. */
export async function requireUnpaused(sql: Queryable, rail: Rail): Promise<void> {
  const pause = await findPause(sql, rail)
  if (!pause) return
  const { reason, since } = pause
  throw new KeyturnError(SETTLEMENT_PAUSED, explainPause(pause), {
    details: { reason, since: since.toISOString() },
  })
}

/** Lists the pauses that concern a merchant, oldest first: its own, and the operator's. */
export async function listPauses(sql: Queryable, merchantId: string): Promise<PauseRow[]> {
  return sql<PauseRow[]>`
    SELECT * FROM settlement_pauses
    WHERE resumed_at IS NULL AND (merchant_id IS NULL OR merchant_id = ${merchantId}) ORDER BY since, id`
}

/** Lists every pause that stands, oldest first. */
export async function listAllPauses(sql: Queryable): Promise<PauseRow[]> {
  return sql<PauseRow[]>`SELECT * FROM settlement_pauses WHERE resumed_at IS NULL ORDER BY since, id`
}
