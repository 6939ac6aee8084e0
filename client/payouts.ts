/** Calls for payouts: withdrawals, batches, schedules, and movements between the merchant's own wallets. */

import type { Intent } from '../domain/controls/intent.js'
import type { ReviewDecision } from '../wire/approval.js'
import type { Batch, BatchFilter, BatchSummary, NewBatch } from '../wire/batch.js'
import type { EstimateRequest, WithdrawalEstimate } from '../wire/estimate.js'
import type { ConsolidationRequest, Movement, MovementFilter, NewConsolidation } from '../wire/movement.js'
import type { Paging } from '../wire/paging.js'
import type { Payout } from '../wire/payout.js'
import type { Reason } from '../wire/reason.js'
import type {
  NewWithdrawalSchedule,
  ScheduleFilter,
  ScheduleFiring,
  WithdrawalSchedule,
  WithdrawalScheduleChange,
  WithdrawalScheduleWithTimes,
} from '../wire/schedule.js'
import type { NewWithdrawal, Retry, SpeedUp, Withdrawal, WithdrawalFilter } from '../wire/withdrawal.js'
import type { Calls, Sent } from './calls.js'

/** Returns the calls. */
export function payoutCalls({ one, at, post, get, remove, page, approvable }: Calls) {
  const withdrawal = (id: string, rest = '') => at('/withdrawals', id, rest)
  const schedule = (id: string, rest = '') => at('/withdrawal-schedules', id, rest)
  /** Returns the calls with which a person helps a stuck part or movement. They need the scope `admin`. */
  const recovery = (place: '/parts' | '/movements') => ({
    /** Replaces a transaction that waits for a block by one with a higher fee, within the fee limit. */
    speedUp: (id: string, how: SpeedUp = {}, sent?: Sent) =>
      post<Payout>(at(place, id, '/speed-up'), how, sent),
    /** Replaces the transaction by one that pays no recipient. The caller must not be the initiator. */
    cancelTransaction: (id: string, why: Reason, sent?: Sent) =>
      post<Payout>(at(place, id, '/cancel-transaction'), why, sent),
    /** Stops the payout before the next signature. */
    markForInvestigation: (id: string, why: Reason, sent?: Sent) =>
      post<Payout>(at(place, id, '/mark-for-investigation'), why, sent),
    clearInvestigation: (id: string, why: Reason, sent?: Sent) =>
      post<Payout>(at(place, id, '/clear-investigation'), why, sent),
  })
  return {
    withdrawals: {
      create: (wanted: NewWithdrawal, sent?: Sent) => post<Withdrawal>('/withdrawals', wanted, sent),
      /** The fee for every priority. */
      estimate: (wanted: EstimateRequest) => post<WithdrawalEstimate>('/withdrawals/estimate', wanted),
      get: (id: string) => get<Withdrawal>(withdrawal(id)),
      list: (filter?: WithdrawalFilter) => page<Withdrawal>('/withdrawals', filter),
      /** Cancels a withdrawal that is still pending. */
      cancel: (id: string) => remove<Withdrawal>(withdrawal(id)),
      /** Reviews a withdrawal. The key must belong to a reviewer who did not request it. */
      review: (id: string, decision: ReviewDecision, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/review'), decision, sent),
      /** Replaces a transaction that waits for a block by one with a higher fee, within the fee limit. */
      speedUp: (id: string, how: SpeedUp = {}, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/speed-up'), how, sent),
      /** Replaces the transaction by one that pays no recipient. The caller must not be the initiator. */
      cancelTransaction: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/cancel-transaction'), why, sent),
      /**
       * Wakes a waiting withdrawal. A withdrawal that failed unpaid is requested again, as another
       * withdrawal.
       */
      retry: (id: string, how: Retry = {}, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/retry'), how, sent),
      /** Releases the hold of a withdrawal that is proven unpaid and that can no longer be paid. */
      refund: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/refund'), why, sent),
      /** Stops the payout before the next signature. */
      markForInvestigation: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/mark-for-investigation'), why, sent),
      clearInvestigation: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/clear-investigation'), why, sent),
      ...approvable<Intent>('/withdrawals'),
    },

    batches: {
      /** Requests a batch. All outputs share one round of approvals; one invalid output refuses the batch. */
      create: (batch: NewBatch, sent?: Sent) => post<Batch>('/withdrawals/batch', batch, sent),
      get: (id: string) => get<Batch>(at('/batches', id)),
      list: (filter?: BatchFilter) => page<BatchSummary>('/batches', filter),
      /** Cancels a batch that is not approved yet. */
      cancel: (id: string) => remove<Batch>(at('/batches', id)),
      review: (id: string, decision: ReviewDecision, sent?: Sent) =>
        post<Batch>(at('/batches', id, '/review'), decision, sent),
      /** Lists the transactions of a batch, each with its attempts and the reason for which it waits. */
      parts: (id: string) => get<readonly Payout[]>(at('/batches', id, '/parts')),
      ...approvable<Intent>('/batches'),
    },

    /** Calls for one transaction of a batch. */
    parts: recovery('/parts'),

    withdrawalSchedules: {
      create: (wanted: NewWithdrawalSchedule, sent?: Sent) =>
        post<WithdrawalSchedule>('/withdrawal-schedules', wanted, sent),
      get: (id: string) => get<WithdrawalScheduleWithTimes>(schedule(id)),
      list: (filter?: ScheduleFilter) => page<WithdrawalSchedule>('/withdrawal-schedules', filter),
      /** Lists the firings, each with its outcome. */
      firings: (id: string, paging?: Paging) => page<ScheduleFiring>(schedule(id, '/firings'), paging),
      update: (id: string, change: WithdrawalScheduleChange) =>
        one<WithdrawalSchedule>({ method: 'PATCH', path: schedule(id), body: change }),
      /** Removes a schedule. Withdrawals that it requested go on. */
      remove: (id: string) => remove<WithdrawalSchedule>(schedule(id)),
    },

    movements: {
      get: (id: string) => get<Movement>(at('/movements', id)),
      list: (filter?: MovementFilter) => page<Movement>('/movements', filter),
      /** Sweeps balances that are worth their fee to the master wallet now. */
      consolidate: (where: NewConsolidation, sent?: Sent) =>
        post<ConsolidationRequest>('/movements/consolidate', where, sent),
      ...recovery('/movements'),
      ...approvable<Intent>('/movements'),
    },
  }
}
