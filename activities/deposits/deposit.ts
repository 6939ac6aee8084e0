/** What the workflow of a deposit asks the world to do: two short database steps, and a screening service where there is one. */

import type { Sql } from '../../db/connect.js'
import { type ConfirmOutcome, confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../db/deposits/credit-deposit.js'
import type { CreditOutcome } from '../../db/deposits/credit-outcome.js'
import { type DepositRow, selectDeposits } from '../../db/deposits/deposit-row.js'
import { depositView } from '../../db/deposits/deposit-view.js'
import { holdDeposit } from '../../db/deposits/hold-deposit.js'
import { readCursor } from '../../db/networks/chain-cursor.js'
import { findNetwork, type Networks } from '../../domain/chain/network.js'
import type { ConsolidationInput } from '../../temporal/inputs.js'
import { askScreening, type ScreeningService } from '../payouts/withdrawal/ask-screening.js'

export interface DepositDeps {
  readonly sql: Sql
  readonly networks: Networks
  /** Whether a screening service is asked about each deposit. */
  readonly screen: boolean
  /** Addresses whose deposits the operator holds. */
  readonly heldSenders?: readonly string[]
  /** Starts the consolidation of an address; absent where nothing is consolidated. */
  readonly startConsolidation?: (input: ConsolidationInput) => Promise<void>
}

/** What the confirmation step found, and whether screening comes next. */
export type ConfirmResult =
  | { readonly kind: 'confirmed'; readonly screen: boolean }
  | Exclude<ConfirmOutcome, { kind: 'confirmed' }>

/** What the screening service says of a deposit. */
export type ScreeningResult = { readonly kind: 'passed' } | { readonly kind: 'held'; readonly reason: string }

export type DepositActivities = ReturnType<typeof createDepositActivities>

/** Local activities of queue `core`. */
export function createDepositActivities(deps: DepositDeps) {
  const { sql, networks, screen, heldSenders, startConsolidation } = deps
  return {
    /** Books the deposit as confirmed if its threshold is met. */
    async confirmDeposit(id: string): Promise<ConfirmResult> {
      const outcome = await confirmDeposit(sql, networks, id)
      return outcome.kind === 'confirmed' ? { kind: 'confirmed', screen } : outcome
    },

    /** Makes a confirmed deposit available. */
    async creditDeposit(id: string): Promise<CreditOutcome> {
      const outcome = await creditDeposit(sql, networks, id, heldSenders)
      // The row says that it is due: should this be lost, the sweeper starts it, and the deposit has not waited for it.
      if (outcome.kind === 'credited' && outcome.consolidation) {
        void startConsolidation?.(outcome.consolidation).catch(() => {})
      }
      return outcome.kind === 'credited' ? { kind: 'credited' } : outcome
    },

    /** Sets a confirmed deposit aside. */
    async holdDeposit(id: string, reason: string): Promise<CreditOutcome> {
      return holdDeposit(sql, networks, id, reason)
    },
  }
}

export type ScreeningActivities = ReturnType<typeof createScreeningActivities>

/** Regular activities of queue `chain`: a third party is asked. */
export function createScreeningActivities(deps: {
  readonly sql: Sql
  readonly networks: Networks
  /** The service and the way to it; null passes every deposit. */
  readonly screening: ScreeningService | null
}) {
  const { sql, networks, screening } = deps
  return {
    /**
     * Posts the deposit's view to the screening service, by the same door and with the same words as destinations are asked about:
     * `{"result": "approved" | "rejected" | "review", "reason"?, "reference"?}`. Whatever is not approved is held for a person.
     *
     * @throws While the service does not answer so; a deposit is never credited unscreened.
     */
    async screenDeposit(id: string): Promise<ScreeningResult> {
      if (screening === null) return { kind: 'passed' }
      const [row] = await sql<DepositRow[]>`${selectDeposits(sql)} WHERE deposit.id = ${id}`
      if (!row) throw new Error(`There is no deposit ${id}`)
      const height = (await readCursor(sql, row.network))?.height ?? null
      const view = depositView(findNetwork(networks, row.network), row, height)
      const said = await askScreening(screening, { ...view, merchant_id: row.merchant_id })
      if ('unavailable' in said) throw new Error(`The deposit is not screened yet: ${said.unavailable}`)
      if (said.result === 'approved') return { kind: 'passed' }
      const reference = said.reference === null ? '' : ` (${said.reference})`
      return { kind: 'held', reason: `${said.reason ?? 'no reason given'}${reference}` }
    },
  }
}
