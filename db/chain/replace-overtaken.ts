/** Moves deposits to `replaced` whose nonce another transaction used, as the chain shows without naming it. */

import type { Network } from '../../domain/network.js'
import type { Sql } from '../connect.js'
import { type DepositRow, selectDeposits } from '../deposits/deposit-row.js'
import { depositEvent } from '../deposits/deposit-view.js'
import { moveDeposit } from '../deposits/move-deposit.js'
import { saveDeposits } from '../deposits/save-deposits.js'
import { appendEvents } from '../events/append-events.js'
import { lockCursor } from './chain-cursor.js'

/** Deposits of these transactions that are still `detected`; should one be mined after all, it becomes unconfirmed. */
export async function replaceOvertaken(sql: Sql, network: Network, txids: readonly string[]): Promise<void> {
  if (txids.length === 0) return
  await sql.begin(async (tx) => {
    const cursor = await lockCursor(tx, network.name)
    const rows = await tx<DepositRow[]>`
      ${selectDeposits(tx)}
      WHERE deposit.network = ${network.name} AND deposit.txid = ANY (${[...txids]}) AND deposit.status = 'detected'
        AND deposit.absent_since IS NOT NULL
      ORDER BY deposit.id FOR UPDATE OF deposit`
    const at = new Date()
    const replaced = rows.map((row) =>
      moveDeposit(row, 'replaced', at, 'Another transaction used its nonce', {
        absent_since: null,
        signalled_at: null,
      }),
    )
    await saveDeposits(tx, replaced)
    await appendEvents(
      tx,
      replaced.map((row) => depositEvent(network, row, cursor?.height ?? null, 'detected')),
    )
  })
}
