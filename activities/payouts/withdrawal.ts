/** The steps of a withdrawal that need only the database: short local activities on the queue `core`. */

import type { Sql } from '../../db/connect.js'
import { advanceWithdrawal } from '../../db/payouts/advance-withdrawal.js'
import { expireWithdrawal } from '../../db/payouts/expire-withdrawal.js'
import { loseWithdrawal } from '../../db/payouts/lose-withdrawal.js'
import { readWithdrawalState, type WithdrawalState } from '../../db/payouts/read-withdrawal-state.js'
import { rebuildWithdrawal } from '../../db/payouts/rebuild-withdrawal.js'
import { type MinedOutcome, settleWithdrawal } from '../../db/payouts/settle-withdrawal.js'
import type { Networks } from '../../domain/chain/network.js'
import {
  createActivitiesBeforeAdvance,
  readStoredApprovals,
  type WithdrawalActivitiesBeforeAdvance,
} from './withdrawal-before-advance.js'

export interface WithdrawalDependencies {
  readonly sql: Sql
  readonly networks: Networks
  /**
   * Interval at which unconfirmed bytes are first sent again (`KEYTURN_REBROADCAST_INTERVAL`), in
   * milliseconds.
   */
  readonly rebroadcastMs: number
}

/** The row's state, and what configuration says about timing. */
export interface WithdrawalSnapshot extends WithdrawalState {
  readonly rebroadcastMs: number
  readonly blockTimeMs: number
}

export interface WithdrawalActivities {
  /** @param now - The workflow's clock, ISO 8601. */
  advanceWithdrawal(id: string, network: string, now: string): Promise<WithdrawalSnapshot>
  readWithdrawal(id: string, network: string): Promise<WithdrawalSnapshot>
  expireWithdrawal(id: string): Promise<void>
  rebuildWithdrawal(id: string): Promise<void>
  settleWithdrawal(id: string, outcome: MinedOutcome): Promise<void>
  loseWithdrawal(id: string, failure: { readonly code: string; readonly message: string }): Promise<void>
}

/**
 * Creates the activities. Each may run twice: the stage in the row, read under its lock, says whether there
 * is something to do.
 */
export function createWithdrawalActivities({
  sql,
  networks,
  rebroadcastMs,
}: WithdrawalDependencies): WithdrawalActivities & WithdrawalActivitiesBeforeAdvance {
  const snapshot = (state: WithdrawalState, network: string): WithdrawalSnapshot => ({
    ...state,
    rebroadcastMs,
    blockTimeMs: (networks.get(network)?.blockTimeSeconds ?? 0) * 1_000,
  })
  return {
    ...createActivitiesBeforeAdvance(sql, networks),
    async advanceWithdrawal(id, network, now) {
      return snapshot(await advanceWithdrawal(sql, networks, id, new Date(now)), network)
    },
    async readWithdrawal(id, network) {
      const state = await readWithdrawalState(sql, id)
      return { ...snapshot(state, network), ...(await readStoredApprovals(sql, id, state.stage)) }
    },
    expireWithdrawal: (id) => expireWithdrawal(sql, networks, id),
    rebuildWithdrawal: (id) => rebuildWithdrawal(sql, networks, id),
    async settleWithdrawal(id, outcome) {
      await settleWithdrawal(sql, networks, id, outcome)
    },
    loseWithdrawal: (id, failure) => loseWithdrawal(sql, networks, id, failure),
  }
}
