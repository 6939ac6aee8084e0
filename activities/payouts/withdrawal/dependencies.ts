/** The dependencies and outcomes that the chain activities of withdrawals share. */

import type { ChainAdapter } from '../../../chains/adapter.js'
import type { Sql } from '../../../db/connect.js'
import type { Rail } from '../../../db/controls/pauses/find-pause.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import { setWaiting } from '../../../db/payouts/set-waiting.js'
import type { Networks } from '../../../domain/chain/network.js'
import {
  explainPause,
  SETTLEMENT_PAUSED,
  type ShownPause,
} from '../../../domain/controls/settlement-pause.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { ScreeningService } from '../../../egress/screening/create-screening-service.js'

export interface WithdrawalChainDependencies {
  readonly sql: Sql
  readonly networks: Networks
  /** Adapters by the name of the network. */
  readonly adapters: ReadonlyMap<string, ChainAdapter>
  /** Absent where no screening service is configured. */
  readonly screening?: ScreeningService | null
  /** How long one call polls for the signer's answer, in milliseconds; see `awaitSignature`. */
  readonly signatureLookMs?: { readonly online: number; readonly offline: number }
  /** How long one step may take before it counts as failed, in milliseconds; see `orReportFailure`. */
  readonly stepLimitMs?: number
}

/** Nothing can be done now. The reason is stored on the withdrawal, and the workflow tries again later. */
export interface WaitStep {
  readonly kind: 'waiting'
  readonly code: string
  readonly message: string
}

/** Returns the adapter of a network. @throws Error when the worker was started without it. */
export function adapterOf({ adapters }: WithdrawalChainDependencies, network: string): ChainAdapter {
  const adapter = adapters.get(network)
  if (!adapter) throw new Error(`This worker has no adapter for ${network}`)
  return adapter
}

/** Stores the reason on the withdrawal and returns it to the workflow. */
export async function waitFor(
  { sql }: WithdrawalChainDependencies,
  id: string,
  code: string,
  message: string,
): Promise<WaitStep> {
  await setWaiting(sql, id, { code, message })
  return { kind: 'waiting', code, message }
}

/** Names the rail of a payout. */
export function railOf({ merchant_id, network, coin }: PayoutRow): Rail {
  return { merchantId: merchant_id, network, coin }
}

/** Stores that a pause of settlement stops the withdrawal. */
export async function waitForResume(
  dependencies: WithdrawalChainDependencies,
  id: string,
  pause: ShownPause,
): Promise<WaitStep> {
  return waitFor(dependencies, id, SETTLEMENT_PAUSED, explainPause(pause))
}

/** Runs a step. A node that does not answer is a reason to wait, not an error. */
export async function orWaitForNode<T>(
  dependencies: WithdrawalChainDependencies,
  id: string,
  network: string,
  step: () => Promise<T>,
): Promise<T | WaitStep> {
  try {
    return await step()
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'DEPENDENCY_UNAVAILABLE') throw error
    return waitFor(dependencies, id, 'NODE_UNAVAILABLE', `No node of ${network} answers: ${error.message}`)
  }
}
