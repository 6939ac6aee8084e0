/**
 * Defines the activities of a deposit: two short database steps, and the question to a screening service if
 * there is one.
 */

import { Context } from '@temporalio/activity'
import type { Sql } from '../../db/connect.js'
import { type ConfirmOutcome, confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../db/deposits/credit-deposit.js'
import type { CreditOutcome } from '../../db/deposits/credit-outcome.js'
import { holdDeposit } from '../../db/deposits/hold-deposit.js'
import { readDepositView } from '../../db/deposits/read-deposit-view.js'
import { wakeChangedPayment } from '../../db/payments/pending-payments.js'
import type { Networks } from '../../domain/chain/network.js'
import { askScreening } from '../../egress/screening/ask-screening.js'
import type { ScreeningService } from '../../egress/screening/create-screening-service.js'
import type { ConsolidationInput } from '../../temporal/inputs.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'

export interface DepositDependencies {
  readonly sql: Sql
  readonly networks: Networks
  /** Whether a screening service is asked about each deposit. */
  readonly screen: boolean
  /** Senders whose deposits the operator holds. */
  readonly heldSenders?: readonly string[]
  /** Starts the consolidation of an address. Absent if nothing is consolidated. */
  readonly startConsolidation?: (input: ConsolidationInput) => Promise<void>
  /** Signals the workflow of a payment that changed. Absent: the chain watcher does it later. */
  readonly wakePayment?: WorkflowGate['wakePayment']
}

/** Result of the confirmation step. `screen` says whether screening comes next. */
export type ConfirmResult =
  | { readonly kind: 'confirmed'; readonly screen: boolean }
  | Exclude<ConfirmOutcome, { kind: 'confirmed' }>

/** Result of the screening of a deposit. */
export type DepositScreening =
  | { readonly kind: 'passed' }
  | { readonly kind: 'held'; readonly reason: string }

export interface DepositActivities {
  /** Books the deposit as confirmed if its threshold is met. */
  confirmDeposit(id: string): Promise<ConfirmResult>
  /** Makes a confirmed deposit available. */
  creditDeposit(id: string): Promise<CreditOutcome>
  /** Holds a confirmed deposit for a reviewer. */
  holdDeposit(id: string, reason: string): Promise<CreditOutcome>
}

/** Creates the local activities of the queue `core`. */
export function createDepositActivities(dependencies: DepositDependencies): DepositActivities {
  const { sql, networks, screen, heldSenders, startConsolidation, wakePayment } = dependencies
  return {
    async confirmDeposit(id) {
      const outcome = await confirmDeposit(sql, networks, id)
      return outcome.kind === 'confirmed' ? { kind: 'confirmed', screen } : outcome
    },

    async creditDeposit(id) {
      const outcome = await creditDeposit(sql, networks, id, heldSenders)
      // The deposit does not wait for the start. If the start is lost, the sweeper finds it due in the row.
      if (outcome.kind === 'credited' && outcome.consolidation) {
        void startConsolidation?.(outcome.consolidation).catch(() => {})
      }
      // Nor does it wait for the signal, which the chain watcher sends if it is lost.
      if (outcome.kind === 'credited' && outcome.paymentId && wakePayment) {
        void wakeChangedPayment(sql, outcome.paymentId, wakePayment).catch(() => {})
      }
      return outcome.kind === 'credited' ? { kind: 'credited' } : outcome
    },

    async holdDeposit(id, reason) {
      return holdDeposit(sql, networks, id, reason)
    },
  }
}

export interface ScreeningActivities {
  /**
   * Posts the deposit's view to the screening service: the same sender and the same answers as for
   * destinations, `{"result": "approved" | "rejected" | "review", "reason"?, "reference"?}`. Holds every
   * deposit that is not approved.
   *
   * @throws Error while the service gives no such answer, so that no deposit is credited unscreened.
   */
  screenDeposit(id: string): Promise<DepositScreening>
}

/** Creates the regular activity of the queue `chain` that asks a third party. */
export function createScreeningActivities(dependencies: {
  readonly sql: Sql
  readonly networks: Networks
  /** Screening service for deposits. `null` passes every deposit. */
  readonly screening: ScreeningService | null
}): ScreeningActivities {
  const { sql, networks, screening } = dependencies
  return {
    async screenDeposit(id) {
      if (screening === null) return { kind: 'passed' }
      const { view, merchantId } = await readDepositView(sql, networks, id)
      const question = { ...view, merchant_id: merchantId }
      const said = await askScreening(screening, question, Context.current().cancellationSignal)
      if ('unavailable' in said) throw new Error(`The deposit is not screened yet: ${said.unavailable}`)
      if (said.result === 'approved') return { kind: 'passed' }
      const reference = said.reference === null ? '' : ` (${said.reference})`
      return { kind: 'held', reason: `${said.reason ?? 'no reason given'}${reference}` }
    },
  }
}
