/** What the workflow of a withdrawal asks of the database: short local activities on the queue `core`. */

import type { Sql } from '../../db/connect.js'
import {
  admitWithdrawal,
  decideWithdrawal,
  expireWithdrawal,
  rebuildWithdrawal,
} from '../../db/payouts/decide-withdrawal.js'
import { loseWithdrawal } from '../../db/payouts/lose-withdrawal.js'
import { readWithdrawalState, type WithdrawalState } from '../../db/payouts/read-withdrawal-state.js'
import { type MinedOutcome, settleWithdrawal } from '../../db/payouts/settle-withdrawal.js'
import type { Networks } from '../../domain/chain/network.js'

export interface WithdrawalDependencies {
  readonly sql: Sql
  readonly networks: Networks
  /** How often unconfirmed bytes are sent again, at first (`KEYTURN_REBROADCAST_INTERVAL`), in milliseconds. */
  readonly rebroadcastMs: number
}

/** The row, and what configuration says about timing. */
export interface WithdrawalSnapshot extends WithdrawalState {
  readonly rebroadcastMs: number
  readonly blockTimeMs: number
}

export interface WithdrawalActivities {
  readWithdrawal(id: string, network: string): Promise<WithdrawalSnapshot>
  admitWithdrawal(id: string): Promise<void>
  decideWithdrawal(id: string): Promise<void>
  expireWithdrawal(id: string): Promise<void>
  rebuildWithdrawal(id: string): Promise<void>
  settleWithdrawal(id: string, outcome: MinedOutcome): Promise<void>
  loseWithdrawal(id: string, failure: { readonly code: string; readonly message: string }): Promise<void>
}

/** Every one may run twice: the stage in the row, read under its lock, says whether there is something to do. */
export function createWithdrawalActivities({
  sql,
  networks,
  rebroadcastMs,
}: WithdrawalDependencies): WithdrawalActivities {
  return {
    async readWithdrawal(id, network) {
      const blockTimeMs = (networks.get(network)?.blockTimeSeconds ?? 0) * 1_000
      return { ...(await readWithdrawalState(sql, id)), rebroadcastMs, blockTimeMs }
    },
    admitWithdrawal: (id) => admitWithdrawal(sql, networks, id),
    decideWithdrawal: (id) => decideWithdrawal(sql, networks, id),
    expireWithdrawal: (id) => expireWithdrawal(sql, networks, id),
    rebuildWithdrawal: (id) => rebuildWithdrawal(sql, networks, id),
    settleWithdrawal: (id, outcome) => settleWithdrawal(sql, networks, id, outcome),
    loseWithdrawal: (id, failure) => loseWithdrawal(sql, networks, id, failure),
  }
}
