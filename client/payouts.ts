/** Everything that pays: withdrawals, batches, schedules, and movements between the own wallets. */

import type { Intent } from '../domain/controls/intent.js'
import type { Calls, Sent } from './calls.js'
import type {
  Batch,
  BatchFilter,
  BatchSummary,
  Consolidation,
  Movement,
  MovementFilter,
  NewBatch,
  NewWithdrawalSchedule,
  Payout,
  ScheduleFilter,
  ScheduleFiring,
  WithdrawalSchedule,
  WithdrawalScheduleChange,
  WithdrawalScheduleWithTimes,
} from './payout-types.js'
import type {
  NewWithdrawal,
  Paging,
  Priority,
  ReviewDecision,
  Withdrawal,
  WithdrawalFilter,
} from './types.js'

export interface Reason {
  readonly reason: string
}

/** Makes those calls. */
export function payoutCalls({ one, at, post, get, remove, page, approvable }: Calls) {
  const withdrawal = (id: string, rest = '') => at('/withdrawals', id, rest)
  const schedule = (id: string, rest = '') => at('/withdrawal-schedules', id, rest)
  /** What helps a part or a movement along; with the scope `admin`. */
  const recovery = (place: '/parts' | '/movements') => ({
    /** Replaces a transaction that waits for a block by one with a higher fee, within the fee limit. */
    speedUp: (
      id: string,
      how: { readonly priority?: Priority; readonly max_fee?: string } = {},
      sent?: Sent,
    ) => post<Payout>(at(place, id, '/speed-up'), how, sent),
    /** Puts a transaction that pays nobody in its place; by a person who did not ask for it. */
    cancelTransaction: (id: string, why: Reason, sent?: Sent) =>
      post<Payout>(at(place, id, '/cancel-transaction'), why, sent),
    /** Holds everything of it before signing. */
    markForInvestigation: (id: string, why: Reason, sent?: Sent) =>
      post<Payout>(at(place, id, '/mark-for-investigation'), why, sent),
    clearInvestigation: (id: string, why: Reason, sent?: Sent) =>
      post<Payout>(at(place, id, '/clear-investigation'), why, sent),
  })
  return {
    withdrawals: {
      create: (wanted: NewWithdrawal, sent?: Sent) => post<Withdrawal>('/withdrawals', wanted, sent),
      /** The fee for every priority. */
      estimate: (wanted: Pick<NewWithdrawal, 'network' | 'coin' | 'amount' | 'to_address'>) =>
        post<Readonly<Record<string, unknown>>>('/withdrawals/estimate', wanted),
      get: (id: string) => get<Withdrawal>(withdrawal(id)),
      list: (filter?: WithdrawalFilter) => page<Withdrawal>('/withdrawals', filter),
      /** Only while it is pending. */
      cancel: (id: string) => remove<Withdrawal>(withdrawal(id)),
      /** With the key of a person who may review and did not ask for it. */
      review: (id: string, decision: ReviewDecision, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/review'), decision, sent),
      /** Replaces a transaction that waits for a block by one with a higher fee, within the fee limit. */
      speedUp: (
        id: string,
        how: { readonly priority?: Priority; readonly max_fee?: string } = {},
        sent?: Sent,
      ) => post<Withdrawal>(withdrawal(id, '/speed-up'), how, sent),
      /** Puts a transaction that pays nobody in its place; by a person who did not ask for it. */
      cancelTransaction: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/cancel-transaction'), why, sent),
      /** Wakes one that waits, or asks anew for one that failed unpaid: then it is another withdrawal. */
      retry: (id: string, how: { readonly priority?: Priority } = {}, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/retry'), how, sent),
      /** Gives the hold back when it is proven that nothing was or can be paid. */
      refund: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/refund'), why, sent),
      /** Holds everything of it before signing. */
      markForInvestigation: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/mark-for-investigation'), why, sent),
      clearInvestigation: (id: string, why: Reason, sent?: Sent) =>
        post<Withdrawal>(withdrawal(id, '/clear-investigation'), why, sent),
      ...approvable<Intent>('/withdrawals'),
    },

    batches: {
      /** One round of approvals for all of them; a bad output refuses the whole. */
      create: (batch: NewBatch, sent?: Sent) => post<Batch>('/withdrawals/batch', batch, sent),
      get: (id: string) => get<Batch>(at('/batches', id)),
      list: (filter?: BatchFilter) => page<BatchSummary>('/batches', filter),
      /** Only while it is not approved. */
      cancel: (id: string) => remove<Batch>(at('/batches', id)),
      review: (id: string, decision: ReviewDecision, sent?: Sent) =>
        post<Batch>(at('/batches', id, '/review'), decision, sent),
      /** Its transactions, each with its attempts and what it waits for. */
      parts: (id: string) => get<readonly Payout[]>(at('/batches', id, '/parts')),
      ...approvable<Intent>('/batches'),
    },

    /** One transaction of a batch. */
    parts: recovery('/parts'),

    withdrawalSchedules: {
      create: (wanted: NewWithdrawalSchedule, sent?: Sent) =>
        post<WithdrawalSchedule>('/withdrawal-schedules', wanted, sent),
      get: (id: string) => get<WithdrawalScheduleWithTimes>(schedule(id)),
      list: (filter?: ScheduleFilter) => page<WithdrawalSchedule>('/withdrawal-schedules', filter),
      /** What became of each firing. */
      firings: (id: string, paging?: Paging) => page<ScheduleFiring>(schedule(id, '/firings'), paging),
      update: (id: string, change: WithdrawalScheduleChange) =>
        one<WithdrawalSchedule>({ method: 'PATCH', path: schedule(id), body: change }),
      /** Withdrawals that it asked for go on. */
      remove: (id: string) => remove<WithdrawalSchedule>(schedule(id)),
    },

    movements: {
      get: (id: string) => get<Movement>(at('/movements', id)),
      list: (filter?: MovementFilter) => page<Movement>('/movements', filter),
      /** Sweeps what is worth it to the master wallet, now. */
      consolidate: (
        where: { readonly network: string; readonly coin?: string; readonly address_id?: string },
        sent?: Sent,
      ) => post<{ readonly consolidations: readonly Consolidation[] }>('/movements/consolidate', where, sent),
      ...recovery('/movements'),
      ...approvable<Intent>('/movements'),
    },
  }
}
