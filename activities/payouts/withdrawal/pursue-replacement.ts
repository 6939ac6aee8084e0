/** Brings a further attempt on its way: one that was asked for, one that is due because the last one lags, or a cancelling one. */

import type { ChainAdapter } from '../../../chains/adapter.js'
import { byAdapterFamily } from '../../../chains/adapter.js'
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
import { isMovement } from '../../../domain/payouts/treasury.js'
import { buildEvmReplacement } from './build-evm-replacement.js'
import { buildUtxoReplacement } from './build-utxo-replacement.js'
import type { WithdrawalChainDependencies } from './dependencies.js'
import type { ReplacementBuilt, WantedAttempt } from './replacement-step.js'
import { takeAnswer } from './take-answer.js'

export type Pursued = { readonly lagsInMs?: number } & (
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting'; readonly code: string; readonly message: string }
)

/** Codes with which an attempt at a higher fee fails when only the fee limit prevents it. */
const TOO_DEAR: ReadonlySet<string> = new Set(['FEE_LIMIT_REACHED', 'INSUFFICIENT_WALLET_FUNDS'])

/** Asked while no attempt is mined. Takes a signer's answer, or queues the next attempt; safe to run twice. */
export async function pursueReplacement(
  dependencies: WithdrawalChainDependencies,
  adapter: ChainAdapter,
  id: string,
): Promise<Pursued> {
  const { sql } = dependencies
  const row = await findRow(sql, id)
  const payments = await listAttempts(sql, id)
  if (payments.some((payment) => payment.state === 'built' && payment.answer !== null)) {
    await takeAnswer(dependencies, id)
    return pursueReplacement(dependencies, adapter, id)
  }
  const open = payments.find(isOpen)
  if (open) return awaitOpen(dependencies, adapter, row, open)
  const attempts = payments.filter(isLive)
  const [newest] = attempts
  if (!newest || !adapter.network.replacement.supported) return { kind: 'idle' }
  const lag = lagOf(adapter, row, payments, newest)
  const wanted = choose(adapter, row, payments, newest, lag)
  if (!wanted) return { kind: 'idle', ...(lag === null ? {} : { lagsInMs: Math.max(lag, 1) }) }
  const built = (await refuseListed(dependencies, wanted)) ?? (await build(dependencies, adapter, wanted))
  if (built.kind === 'gone') return { kind: 'idle' }
  if (built.kind === 'queued') return awaiting(newest.signer_name)
  // Asked for again, it is tried again; by itself it is at every look.
  if (wanted.cause === 'speed_up') await clearSpeedUp(sql, id, built)
  // No person watches a movement. One whose fee cannot rise any more is cancelled, or it would block every later transaction.
  const givesWay =
    isMovement(row.kind) && wanted.purpose === 'pay' && lag !== null && lag <= 0 && TOO_DEAR.has(built.code)
  if (givesWay && (await cancelLaggingMovement(sql, id, built.message))) {
    return pursueReplacement(dependencies, adapter, id)
  }
  return built
}

/**
 * A payment in public is none that is yet to be made, so it is not taken to a review; but nothing of it is hurried once a destination
 * came onto the sanctions list. A cancellation is built all the same.
 */
async function refuseListed(
  { sql }: WithdrawalChainDependencies,
  { row, purpose }: WantedAttempt,
): Promise<ReplacementBuilt | null> {
  if (purpose === 'cancel') return null
  const listed = (await findNewlyListed(sql, [row.id])).get(row.id)
  if (!listed) return null
  const message =
    'A destination came onto the sanctions list after this was sent: no attempt at a higher fee is built, the same bytes are sent on; cancel-transaction may still take it back'
  await reportListed(sql, row.id, listed, message)
  return { kind: 'waiting', code: 'SANCTIONED', message }
}

/** An attempt is at the signer: a payment that no signer has claimed gives way to a cancellation, and to the sanctions list. */
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

/** Milliseconds until the newest attempt lags; null where nothing happens by itself. */
function lagOf(
  { network }: ChainAdapter,
  row: PayoutRow,
  payments: readonly AttemptRow[],
  newest: AttemptRow,
): number | null {
  if (!network.replacement.automatic && !row.cancellation) return null
  // Also after one that was refused: a signer is not asked the same thing at every look.
  const since = Math.max(
    ...payments.map((payment) =>
      (payment.broadcast_at ?? payment.answered_at ?? payment.created_at).getTime(),
    ),
  )
  return since + network.replacement.afterMs[newest.priority] - Date.now()
}

function choose(
  { network }: ChainAdapter,
  row: PayoutRow,
  payments: readonly AttemptRow[],
  newest: AttemptRow,
  lag: number | null,
): WantedAttempt | null {
  const attempts = payments.filter(isLive)
  const unanswered = payments.filter(isUnanswered)
  const lags = lag !== null && lag <= 0
  if (row.cancellation || row.kind === 'nonce_fill') {
    const cancelling = attempts.some((attempt) => attempt.purpose === 'cancel')
    if (cancelling && !lags) return null
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
  if (!lags) return null
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
