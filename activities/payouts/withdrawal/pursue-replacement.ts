/**
 * Starts a further attempt: one that was requested, one that is due because the last one is stuck, or one
 * that cancels.
 */

import type { ChainAdapter } from '../../../chains/adapter.js'
import { byAdapterFamily } from '../../../chains/adapter.js'
import { findPause } from '../../../db/controls/pauses/find-pause.js'
import { findNewlyListed } from '../../../db/controls/sanctions/find-newly-listed.js'
import { dropReplacement } from '../../../db/payouts/attempts/drop-replacement.js'
import {
  type AttemptRow,
  isLive,
  isOpen,
  isUnanswered,
  listAttempts,
} from '../../../db/payouts/attempts/find-attempts.js'
import { findRow, type PayoutRow } from '../../../db/payouts/payout-row.js'
import { reportListed } from '../../../db/payouts/report-listed.js'
import { cancelLaggingMovement } from '../../../db/payouts/withdrawals/request-cancellation.js'
import { clearSpeedUp } from '../../../db/payouts/withdrawals/request-speed-up.js'
import { explainPause, SETTLEMENT_PAUSED } from '../../../domain/controls/settlement-pause.js'
import { isMovement } from '../../../domain/payouts/treasury.js'
import { buildEvmReplacement } from './build-evm-replacement.js'
import { buildUtxoReplacement } from './build-utxo-replacement.js'
import { railOf, type WithdrawalChainDependencies } from './dependencies.js'
import type { ReplacementBuilt, WantedAttempt } from './replacement-step.js'
import { takeAnswer } from './take-answer.js'

export type Pursued = { readonly lagsInMs?: number } & (Idle | Waits)

interface Idle {
  readonly kind: 'idle'
  /** Attempts, newest first, if none was added or changed. */
  readonly all?: readonly AttemptRow[]
}

interface Waits {
  readonly kind: 'waiting'
  readonly code: string
  readonly message: string
}

/** Returns the attempts if none was added or changed. */
export function unchanged(pursued: Pursued): readonly AttemptRow[] | undefined {
  return pursued.kind === 'idle' ? pursued.all : undefined
}

/** Codes with which an attempt at a higher fee fails when only the fee limit prevents it. */
const LIMITED_BY_FEE: ReadonlySet<string> = new Set(['FEE_LIMIT_REACHED', 'INSUFFICIENT_WALLET_FUNDS'])

/**
 * Takes the signer's answer, or queues the next attempt. Call it while no attempt is mined. Safe to run
 * twice.
 *
 * @param known - The row, if it was read a moment ago.
 */
export async function pursueReplacement(
  dependencies: WithdrawalChainDependencies,
  adapter: ChainAdapter,
  id: string,
  known?: PayoutRow,
): Promise<Pursued> {
  const { sql } = dependencies
  const row = known ?? (await findRow(sql, id))
  const all = await listAttempts(sql, id)
  if (all.some((attempt) => attempt.state === 'built' && attempt.answer !== null)) {
    await takeAnswer(dependencies, id)
    return pursueReplacement(dependencies, adapter, id)
  }
  const open = all.find(isOpen)
  if (open) return awaitOpen(dependencies, adapter, row, open)
  const attempts = all.filter(isLive)
  const [newest] = attempts
  if (!newest || !adapter.network.replacement.supported) return { kind: 'idle', all }
  const stuckInMs = untilStuck(adapter, row, all, newest)
  const wanted = choose(adapter, row, all, newest, stuckInMs)
  if (!wanted)
    return { kind: 'idle', all, ...(stuckInMs === null ? {} : { lagsInMs: Math.max(stuckInMs, 1) }) }
  const built = (await refuse(dependencies, wanted)) ?? (await build(dependencies, adapter, wanted))
  if (built.kind === 'gone') return { kind: 'idle' }
  if (built.kind === 'queued') return awaiting(newest.signer_name)
  // A person who requests it again causes a new try. An automatic replacement is tried at each poll.
  if (wanted.cause === 'speed_up') await clearSpeedUp(sql, id, built)
  // A movement has no person who watches it. One whose fee cannot rise any more is cancelled, because it
  // would block every later transaction.
  const givesWay =
    isMovement(row.kind) &&
    wanted.purpose === 'pay' &&
    stuckInMs !== null &&
    stuckInMs <= 0 &&
    LIMITED_BY_FEE.has(built.code)
  if (givesWay && (await cancelLaggingMovement(sql, id, built.message))) {
    return pursueReplacement(dependencies, adapter, id)
  }
  return built
}

/**
 * Refuses an attempt at a higher fee while settlement is paused, or once a destination came onto the sanctions
 * list. The payout is public already, so a review would come too late, but the platform does not hurry it. A
 * cancellation is still built.
 */
async function refuse(
  { sql }: WithdrawalChainDependencies,
  { row, purpose }: WantedAttempt,
): Promise<ReplacementBuilt | null> {
  if (purpose === 'cancel') return null
  const pause = await findPause(sql, railOf(row))
  if (pause) return { kind: 'waiting', code: SETTLEMENT_PAUSED, message: explainPause(pause) }
  const listed = (await findNewlyListed(sql, [row.id])).get(row.id)
  if (!listed) return null
  const message =
    'A destination came onto the sanctions list after this was sent: no attempt at a higher fee is built, the same bytes are sent on; cancel-transaction may still take it back'
  await reportListed(sql, row.id, listed, message)
  return { kind: 'waiting', code: 'SANCTIONED', message }
}

/**
 * Waits for an attempt that is at the signer. One that pays and that no signer has claimed is dropped in
 * favour of a cancellation, or because of the sanctions list.
 */
async function awaitOpen(
  dependencies: WithdrawalChainDependencies,
  adapter: ChainAdapter,
  row: PayoutRow,
  open: AttemptRow,
): Promise<Pursued> {
  const unclaimed = open.purpose === 'pay' && open.request_state === 'queued'
  const reason = row.cancellation
    ? 'the withdrawal is to be cancelled'
    : unclaimed && (await findNewlyListed(dependencies.sql, [row.id])).has(row.id)
      ? 'a destination came onto the sanctions list'
      : null
  if (unclaimed && reason !== null) {
    const dropped = await dropReplacement(dependencies.sql, row.id, {
      transactionId: open.id,
      actor: 'system:withdrawal',
      reason,
      answered: false,
    })
    if (dropped) return pursueReplacement(dependencies, adapter, row.id)
  }
  return awaiting(open.signer_name)
}

function awaiting(signer: string): Pursued {
  const message = `A further attempt waits for the customer's signer "${signer}"; those before it may still be mined`
  return { kind: 'waiting', code: 'AWAITING_SIGNER', message }
}

/**
 * Returns the milliseconds until the newest attempt counts as stuck. `null` where nothing is replaced
 * automatically.
 */
function untilStuck(
  { network }: ChainAdapter,
  row: PayoutRow,
  all: readonly AttemptRow[],
  newest: AttemptRow,
): number | null {
  if (!network.replacement.automatic && !row.cancellation) return null
  // A refused attempt counts too: the signer is not asked for the same attempt at each poll.
  const since = Math.max(
    ...all.map((attempt) => (attempt.broadcast_at ?? attempt.answered_at ?? attempt.created_at).getTime()),
  )
  return since + network.replacement.afterMs[newest.priority] - Date.now()
}

function choose(
  { network }: ChainAdapter,
  row: PayoutRow,
  all: readonly AttemptRow[],
  newest: AttemptRow,
  stuckInMs: number | null,
): WantedAttempt | null {
  const attempts = all.filter(isLive)
  const unanswered = all.filter(isUnanswered)
  const stuck = stuckInMs !== null && stuckInMs <= 0
  if (row.cancellation || row.kind === 'nonce_fill') {
    const cancelling = attempts.some((attempt) => attempt.purpose === 'cancel')
    if (cancelling && !stuck) return null
    return {
      row,
      attempts,
      unanswered,
      purpose: 'cancel',
      cause: cancelling ? 'lagging' : 'cancel',
      priority: 'urgent',
      feeLimit: network.replacement.maxCancelFee,
    }
  }
  const base = { row, attempts, unanswered, purpose: 'pay' } as const
  if (row.speed_up) {
    const { priority, max_fee } = row.speed_up
    const asked = max_fee === null ? row.fee_limit : BigInt(max_fee)
    const feeLimit = asked < row.fee_limit ? asked : row.fee_limit
    return { ...base, cause: 'speed_up', priority, feeLimit }
  }
  if (!stuck) return null
  return { ...base, cause: 'lagging', priority: newest.priority, feeLimit: row.fee_limit }
}

async function build(
  dependencies: WithdrawalChainDependencies,
  adapter: ChainAdapter,
  wanted: WantedAttempt,
): Promise<ReplacementBuilt> {
  return byAdapterFamily(adapter, {
    utxo: (utxo) => buildUtxoReplacement(dependencies, utxo, wanted),
    evm: (evm) => buildEvmReplacement(dependencies, evm, wanted),
  })
}
