/** What the workflow of a deposit asks the world to do: two short database steps, and a screening service where there is one. */

import { request } from 'undici'
import { z } from 'zod'
import { readCursor } from '../db/chain/chain-cursor.js'
import type { Sql } from '../db/connect.js'
import { type ConfirmOutcome, confirmDeposit } from '../db/deposits/confirm-deposit.js'
import { type CreditOutcome, creditDeposit } from '../db/deposits/credit-deposit.js'
import { type DepositRow, selectDeposits } from '../db/deposits/deposit-row.js'
import { depositView } from '../db/deposits/deposit-view.js'
import { holdDeposit } from '../db/deposits/hold-deposit.js'
import { findNetwork, type Networks } from '../domain/network.js'
import type { ConsolidationInput } from '../workflows/start.js'

export interface DepositDeps {
  readonly sql: Sql
  readonly networks: Networks
  /** URL of a screening service; null means that every deposit passes. */
  readonly screeningUrl: string | null
  /** Starts the consolidation of an address; absent where nothing is consolidated. */
  readonly startConsolidation?: (input: ConsolidationInput) => Promise<void>
}

/** What the confirmation step found, and whether screening comes next. */
export type ConfirmResult =
  | { readonly kind: 'confirmed'; readonly screen: boolean }
  | Exclude<ConfirmOutcome, { kind: 'confirmed' }>

/** What the screening service says of a deposit. */
export type ScreeningResult = { readonly kind: 'passed' } | { readonly kind: 'held'; readonly reason: string }

const SCREENING_TIMEOUT_MS = 15_000
const answer = z.object({
  result: z.enum(['pass', 'hold']),
  reason: z.string().max(500).default('no reason given'),
})

export type DepositActivities = ReturnType<typeof createDepositActivities>

/** Local activities of queue `core`. */
export function createDepositActivities({ sql, networks, screeningUrl, startConsolidation }: DepositDeps) {
  return {
    /** Books the deposit as confirmed if its threshold is met. */
    async confirmDeposit(id: string): Promise<ConfirmResult> {
      const outcome = await confirmDeposit(sql, networks, id)
      return outcome.kind === 'confirmed' ? { kind: 'confirmed', screen: screeningUrl !== null } : outcome
    },

    /** Makes a confirmed deposit available. */
    async creditDeposit(id: string): Promise<CreditOutcome> {
      const outcome = await creditDeposit(sql, networks, id)
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
export function createScreeningActivities({ sql, networks, screeningUrl }: DepositDeps) {
  return {
    /**
     * Posts the deposit's view to the screening service, which answers `{"result": "pass" | "hold", "reason"?}`.
     *
     * @throws While the service does not answer so; a deposit is never credited unscreened.
     */
    async screenDeposit(id: string): Promise<ScreeningResult> {
      if (screeningUrl === null) return { kind: 'passed' }
      const [row] = await sql<DepositRow[]>`${selectDeposits(sql)} WHERE deposit.id = ${id}`
      if (!row) throw new Error(`There is no deposit ${id}`)
      const height = (await readCursor(sql, row.network))?.height ?? null
      const response = await request(screeningUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(depositView(findNetwork(networks, row.network), row, height)),
        headersTimeout: SCREENING_TIMEOUT_MS,
        bodyTimeout: SCREENING_TIMEOUT_MS,
      })
      const body = await response.body.text()
      if (response.statusCode !== 200)
        throw new Error(`The screening service answered ${response.statusCode}`)
      const { result, reason } = answer.parse(JSON.parse(body))
      return result === 'pass' ? { kind: 'passed' } : { kind: 'held', reason }
    },
  }
}
