/** The steps of a reconciliation: plan its checks, make one, and end it. What a check reads, it never repairs. */

import { Context } from '@temporalio/activity'
import { readProofHeight } from '../../db/books/periods/read-proof-height.js'
import { isBooksCheck } from '../../db/books/reconciliation/books-checks.js'
import {
  claimRun,
  endRun,
  failCheck,
  failRun,
  planChecks,
  storeCheck,
  touchRun,
} from '../../db/books/reconciliation/move-run.js'
import { raiseDifferences } from '../../db/books/reconciliation/raise-differences.js'
import { findOpenRun, listHeldNetworks, listKeyNetworks } from '../../db/books/reconciliation/read-run.js'
import { runCheck } from '../../db/books/reconciliation/run-check.js'
import type { ReconciliationRow } from '../../db/books/reconciliation/run-row.js'
import { markRunStarted } from '../../db/books/reconciliation/run-start.js'
import { openScheduledRun } from '../../db/books/reconciliation/schedules.js'
import type { Sql } from '../../db/connect.js'
import {
  type CheckName,
  chainCheck,
  INTERNAL_CHECKS,
  networkOfCheck,
  ORDER_CHECKS,
  type ReconciliationScope,
} from '../../domain/books/difference.js'
import type { Networks } from '../../domain/chain/network.js'
import type { ReconciliationGate } from '../../temporal/workflow-gate.js'
import { auditChain } from './audit/audit-chain.js'

/**
 * Attempts to compare with a chain whose node is away or behind: half a minute of waiting. Then the run says so,
 * because a person waits for it.
 */
const CHAIN_ATTEMPTS = 6
/**
 * Time for which a comparison with a chain keeps its slot. Then it goes on behind the comparisons that wait, so that
 * several merchants' long ones advance by turns and a short one waits for a slice, and not for a whole comparison.
 */
const SLICE_MS = 60_000
/** Interval at which a check stores how far it is. */
const PROGRESS_MS = 5_000

export interface ReconciliationDependencies {
  readonly sql: Sql
  readonly networks: Networks
  /** Starts the workflow of a run that a Schedule opened. */
  readonly gate: Pick<ReconciliationGate, 'startReconciliationRun'>
  /** Milliseconds for which a comparison with a chain keeps its slot. Default: a minute. */
  readonly sliceMs?: number
}

/** What the workflow does next. */
export type RunPlan =
  | { readonly kind: 'ended' }
  /** An older run of the merchant is open. */
  | { readonly kind: 'busy' }
  /** Checks that are not done. */
  | { readonly kind: 'planned'; readonly checks: readonly string[] }

/** How an attempt to make a check ended. `paused`: its slice is over, and the next one goes on where it was. */
export type CheckEnd = 'done' | 'paused'

export interface ReconciliationActivities {
  /** Opens the run of a firing, and starts its workflow. @returns Its id. `null` if an earlier one is open. */
  openScheduledRun(merchantId: string, nominalAt: string): Promise<string | null>
  /** Decides once which checks the run makes, and returns those that are not done. */
  planRun(id: string): Promise<RunPlan>
  /** Makes a check and stores what it found. Nothing happens where it is done, or where the run has ended. */
  makeCheck(id: string, name: string): Promise<CheckEnd>
  /** Stores that a check could not be made, because it failed too often. */
  giveUpCheck(id: string, name: string): Promise<void>
  /** Raises exceptions for what the checks found, and closes those whose cause is gone. */
  raiseExceptions(id: string): Promise<void>
  /** Ends the run. */
  finishRun(id: string): Promise<void>
  /** Fails the run. */
  giveUpRun(id: string): Promise<void>
}

/** Creates the activities of the workflow `reconciliation`. */
export function createReconciliationActivities({
  sql,
  networks,
  gate,
  sliceMs = SLICE_MS,
}: ReconciliationDependencies): ReconciliationActivities {
  return {
    async openScheduledRun(merchantId, nominalAt) {
      const run = await openScheduledRun(sql, merchantId, new Date(nominalAt))
      if (run === null) return null
      await gate.startReconciliationRun(run)
      await markRunStarted(sql, run.id)
      return run.id
    },
    async planRun(id) {
      const run = await claimRun(sql, id)
      if (run === null) return { kind: 'ended' }
      if (run === 'busy') return { kind: 'busy' }
      const compared = await networksOfRun(sql, networks, run)
      return { kind: 'planned', checks: await planChecks(sql, id, checksOf(run, compared)) }
    },
    async makeCheck(id, name) {
      const run = await findOpenRun(sql, id)
      if (!run) return 'done'
      const { cancellationSignal: signal } = Context.current()
      const asked = networkOfCheck(name)
      const network = networks.get(asked ?? '')
      if (asked !== null && !(network && (await listKeyNetworks(sql, run.merchant_id)).includes(asked))) {
        await failCheck(sql, id, name, notCompared(asked, network !== undefined))
        return 'done'
      }
      if (network) {
        const onProgress = createProgress((done) => touchRun(sql, id, chainCheck(network.name), done))
        const atBlock = run.at_block === null ? null : Number(run.at_block)
        const request = {
          merchantId: run.merchant_id,
          network,
          atBlock,
          // What two people sign is compared, although the proof can lie above the newest settled block.
          atLeast: await readProofHeight(sql, run, network.name),
          key: `${id}:${network.name}`,
        }
        const last = Context.current().info.attempt >= CHAIN_ATTEMPTS
        const sliceEnd = Date.now() + sliceMs
        const isSliceOver = () => Date.now() >= sliceEnd
        const audit = await auditChain(sql, request, { signal, onProgress, last, isSliceOver })
        if (audit.kind === 'paused') return 'paused'
        if (audit.kind === 'failed') {
          await failCheck(sql, id, name, audit)
          return 'done'
        }
        const { height, hash } = audit.block
        await storeCheck(sql, id, chainCheck(network.name), {
          ...audit,
          block: { network: network.name, block_number: height, block_hash: hash },
        })
        return 'done'
      }
      if (!isBooksCheck(name)) throw new Error(`There is no check ${name}`)
      const progress = createProgress((examined) => touchRun(sql, id, name, examined))
      const options = { networks: run.networks, signal, progress }
      await storeCheck(sql, id, name, await runCheck(sql, networks, run.merchant_id, name, options))
      return 'done'
    },
    giveUpCheck: (id, name) =>
      failCheck(sql, id, name, {
        code: 'INTERNAL_ERROR',
        message: `The check ${name} could not be made after many attempts. Start another reconciliation`,
      }),
    async raiseExceptions(id) {
      const run = await findOpenRun(sql, id)
      for (const name of run?.planned ?? []) if (run) await raiseDifferences(sql, run, name)
    },
    finishRun: (id) => endRun(sql, id),
    giveUpRun: (id) =>
      failRun(sql, id, {
        code: 'INTERNAL_ERROR',
        message: 'The reconciliation could not be made. Start another one',
      }),
  }
}

/**
 * Returns the networks of which the run has a check: those that were asked for, or those of the merchant's keys. One
 * that cannot be compared has a check too, which fails, if it was asked for or the books hold something there.
 */
async function networksOfRun(
  sql: Sql,
  networks: Networks,
  run: ReconciliationRow,
): Promise<readonly string[]> {
  if (run.networks !== null) return [...run.networks].sort()
  const kept = await listKeyNetworks(sql, run.merchant_id)
  const held = await listHeldNetworks(sql, run.merchant_id)
  return [...kept.filter((name) => networks.has(name)), ...held.filter((name) => !networks.has(name))]
}

function notCompared(network: string, configured: boolean): { code: string; message: string } {
  return {
    code: 'NETWORK_NOT_COMPARED',
    message: configured
      ? `${network} was not compared, because the merchant has no keys of it`
      : `${network} was not compared, because this installation does not serve it`,
  }
}

function checksOf({ scope }: ReconciliationRow, networks: readonly string[]): CheckName[] {
  const of: Readonly<Record<ReconciliationScope, readonly CheckName[]>> = {
    chain: networks.map(chainCheck),
    orders: ORDER_CHECKS,
    internal: INTERNAL_CHECKS,
  }
  return scope.flatMap((each) => of[each])
}

/** Returns a function that stores progress at most once an interval. A failure to do so stops no check. */
function createProgress(store: (examined: number) => Promise<void>): (examined: number) => void {
  let next = Date.now() + PROGRESS_MS
  return (examined) => {
    if (Date.now() < next) return
    next = Date.now() + PROGRESS_MS
    store(examined).catch(() => {})
  }
}
