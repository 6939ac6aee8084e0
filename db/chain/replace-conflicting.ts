/** Finds deposits whose inputs another transaction took. */

import type { Spend } from '../../chains/adapter.js'
import { UNMINED_DEPOSITS } from '../../domain/deposits/deposit-sets.js'
import type { Transaction } from '../connect.js'
import { type DepositRow, selectDeposits } from '../deposits/deposit-row.js'
import { moveDeposit } from '../deposits/move-deposit.js'
import { members } from '../members.js'
import { keyProbe } from './key-probe.js'
import { outpointKey } from './outpoint-key.js'

/** Deposit before and after its replacement, which is not yet written. */
export interface Replacement {
  readonly before: DepositRow
  readonly after: DepositRow
}

/**
 * Finds the spends among the inputs of deposits by one index probe, and moves unmined deposits that lost an
 * input to `replaced`. A mined deposit stays: only a reorg reverts it.
 */
export async function replaceConflicting(
  tx: Transaction,
  network: string,
  spends: readonly Spend[],
  at: Date,
): Promise<Replacement[]> {
  if (spends.length === 0) return []
  const keys = BigInt64Array.from(spends, (spend) => outpointKey(spend.prevTxid)).sort()
  const inputs = await tx<{ prev_txid: string; prev_vout: number; txid: string }[]>`
    SELECT prev_txid, prev_vout, txid FROM deposit_inputs
    WHERE network = ${network} AND prev_key = ANY (${keyProbe(tx, keys)})`
  if (inputs.length === 0) return []
  const spenders = new Map(spends.map((spend) => [`${spend.prevTxid}:${spend.prevVout}`, spend.txid]))
  const replacedBy = new Map<string, string>()
  for (const input of inputs) {
    const spender = spenders.get(`${input.prev_txid}:${input.prev_vout}`)
    if (spender !== undefined && spender !== input.txid) replacedBy.set(input.txid, spender)
  }
  if (replacedBy.size === 0) return []
  const rows = await tx<DepositRow[]>`
    ${selectDeposits(tx)}
    WHERE deposit.network = ${network} AND deposit.txid = ANY (${[...replacedBy.keys()]})
      AND deposit.status IN ${members(tx, UNMINED_DEPOSITS)}
    ORDER BY deposit.id FOR UPDATE OF deposit`
  return rows.map((before) => {
    const by = replacedBy.get(before.txid) ?? null
    const cause = `Transaction ${by} spends the same input`
    return {
      before,
      after: moveDeposit(before, 'replaced', at, cause, {
        replaced_by: by,
        absent_since: null,
        signalled_at: null,
      }),
    }
  })
}
