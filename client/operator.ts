/** Calls of the platform's operator. A key of a merchant cannot make them. */

import type { ExceptionWithHistory, NewDispute } from '../wire/exception.js'
import type { DecideMerchant, DecideRail, Merchant, MerchantWithDecisions } from '../wire/merchant.js'
import type { Paging } from '../wire/paging.js'
import type { NewRescan, Rescan } from '../wire/rescan.js'
import type { NewOperatorPause, OperatorPause, OperatorResume, ResumeVotes } from '../wire/settlement.js'
import type { Calls, Sent } from './calls.js'

/** Returns the calls. */
export function operatorCalls({ at, post, get, page }: Calls) {
  return {
    /** Raises a dispute for a merchant, which works on it and resolves it. The same subject gives the one that stands. */
    dispute: (merchantId: string, dispute: NewDispute, sent?: Sent) =>
      post<ExceptionWithHistory>(at('/admin/merchants', merchantId, '/exceptions'), dispute, sent),
    merchants: {
      list: (paging?: Paging) => page<Merchant>('/admin/merchants', paging),
      get: (id: string) => get<MerchantWithDecisions>(at('/admin/merchants', id)),
      /** Suspends a merchant: nothing new is made, and what is approved waits. Watching and crediting go on. */
      suspend: (id: string, decision: DecideMerchant, sent?: Sent) =>
        post<MerchantWithDecisions>(at('/admin/merchants', id, '/suspend'), decision, sent),
      resume: (id: string, decision: DecideMerchant, sent?: Sent) =>
        post<MerchantWithDecisions>(at('/admin/merchants', id, '/resume'), decision, sent),
      /** Enables or disables a coin of a network. */
      decideRail: (id: string, rail: DecideRail, sent?: Sent) =>
        post<MerchantWithDecisions>(at('/admin/merchants', id, '/rails'), rail, sent),
    },
    settlement: {
      /** Lists the pauses that stand. */
      list: () => page<OperatorPause>('/admin/settlement'),
      /** Stops broadcasts, schedules and sweeps of a merchant, a rail or everything at once. */
      pause: (pause: NewOperatorPause, sent?: Sent) =>
        post<OperatorPause>('/admin/settlement/pause', pause, sent),
      /** Asks for the end of an operator's pause, which ends when enough operators have asked. */
      resume: (resume: OperatorResume, sent?: Sent) =>
        post<ResumeVotes>('/admin/settlement/resume', resume, sent),
    },
    rescans: {
      /** Scans a transaction, a range of blocks or an address again, and credits what was missed. */
      start: (rescan: NewRescan, sent?: Sent) => post<Rescan>('/admin/rescan', rescan, sent),
      /** Reads a rescan with its progress and what it found. */
      get: (id: string) => get<Rescan>(at('/admin/rescan', id)),
    },
  }
}
