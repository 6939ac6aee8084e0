/** Ends pending deposits that the chain can no longer make, although no block shows a conflict. */

import type { Network } from '../../domain/chain/network.js'
import { inTransaction, type Sql } from '../connect.js'
import { type DepositRow, selectDeposits } from '../deposits/deposit-row.js'
import { depositEvent } from '../deposits/deposit-view.js'
import { saveDeposits } from '../deposits/save-deposits.js'
import { appendEvents } from '../events/log/append-events.js'
import { lockCursor } from '../networks/chain-cursor.js'
import { followDeposits } from '../payments/follow-deposits.js'
import { superseded } from './positions.js'
import { keepWatch, type Watch } from './take-watch.js'

export interface Overtaken {
  readonly txid: string
  /** Height at which the transaction itself was mined. `null` if another one used its nonce. */
  readonly minedAt: number | null
}

/**
 * Ends the deposits of these transactions that are still `detected`. If one is mined after all, it becomes
 * unconfirmed. A mined transaction counts only once its block was scanned, because what it pays is recorded
 * then.
 */
export async function replaceOvertaken(
  sql: Sql,
  network: Network,
  overtaken: readonly Overtaken[],
  watch?: Watch,
): Promise<void> {
  if (overtaken.length === 0) return
  const minedAt = new Map(overtaken.map((each) => [each.txid, each.minedAt]))
  await inTransaction(sql, async (tx) => {
    const cursor = await lockCursor(tx, network.name)
    await keepWatch(tx, network.name, watch)
    if (!cursor) return
    const rows = await tx<DepositRow[]>`
      ${selectDeposits(tx)}
      WHERE deposit.network = ${network.name} AND deposit.txid = ANY (${[...minedAt.keys()]})
        AND deposit.status = 'detected' AND deposit.absent_since IS NOT NULL
      ORDER BY deposit.id FOR UPDATE OF deposit`
    const at = cursor.now
    const replaced = rows.flatMap((row) => {
      const height = minedAt.get(row.txid) ?? null
      if (height === null) return [superseded(row, at, 'Another transaction used its nonce')]
      if (height > cursor.height) return []
      return [superseded(row, at, `Its transaction was mined in block ${height} and does not pay it`)]
    })
    await saveDeposits(tx, replaced)
    await appendEvents(tx, [
      ...replaced.map((row) => depositEvent(network, row, cursor.height, 'detected')),
      ...(await followDeposits(tx, replaced)),
    ])
  })
}
