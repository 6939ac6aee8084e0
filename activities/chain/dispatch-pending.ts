/**
 * Starts and signals the workflows that the rows of a network ask for. The rows remember what was delivered.
 */

import type { Sql } from '../../db/connect.js'
import {
  depositSignals,
  markDepositsSignalled,
  markDepositsStarted,
  markDepositsUnstarted,
  markTransactionsSignalled,
  transactionSignals,
  unstartedDeposits,
} from '../../db/deposits/pending-signals.js'
import { markPaymentsWoken, pendingPayments } from '../../db/payments/pending-payments.js'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import { readWithdrawalInput } from '../../db/payouts/read-withdrawal-input.js'
import type { Network } from '../../domain/chain/network.js'
import { depositId, withdrawalId } from '../../temporal/ids.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'
import { type SweptRow, sweepEach } from '../operations/sweep-each.js'

/** Calls to Temporal under way at a time. */
const CONCURRENCY = 24

export interface Dispatched {
  readonly started: number
  readonly signalled: number
}

/**
 * Delivers until nothing is pending. A delivery that fails for a reason of its own is put off, and the others
 * keep their turn.
 *
 * @param again - Also signals sent before this instant to workflows that have not moved since.
 * @throws The first error of Temporal or the database, after all else was tried. Deliveries before stay
 * remembered.
 */
export async function dispatchPending(
  sql: Sql,
  network: Network,
  gate: WorkflowGate,
  again: Date | null = null,
): Promise<Dispatched> {
  let started = 0
  let signalled = 0
  for (;;) {
    const failures: unknown[] = []
    const attempt = async (part: () => Promise<Delivered>): Promise<number> => {
      try {
        const { count, failure } = await part()
        if (failure !== null) failures.push(failure)
        return count
      } catch (error) {
        failures.push(error)
        return 0
      }
    }
    const deposits = await attempt(() => startDeposits(sql, network, gate))
    const signals =
      (await attempt(() => signalDeposits(sql, network, gate, again))) +
      (await attempt(() => signalOwn(sql, network, gate, again))) +
      (await attempt(() => wakePayments(sql, network, gate)))
    started += deposits
    signalled += signals
    // A signal that was sent again is no longer pending, so this loop ends.
    if (deposits + signals > 0) continue
    if (failures.length > 0) throw failures[0]
    return { started, signalled }
  }
}

interface Delivered {
  /** Number of deliveries. */
  readonly count: number
  /** First error. `null` without one. */
  readonly failure: unknown
}

async function startDeposits(sql: Sql, network: Network, gate: WorkflowGate): Promise<Delivered> {
  return deliver(
    sql,
    'deposits',
    await unstartedDeposits(sql, network),
    async (deposit) => {
      await gate.startDeposit(deposit.input)
      return true
    },
    (started) => markDepositsStarted(sql, started),
  )
}

async function signalDeposits(
  sql: Sql,
  network: Network,
  gate: WorkflowGate,
  again: Date | null,
): Promise<Delivered> {
  const lost: string[] = []
  const delivered = await deliver(
    sql,
    'deposits',
    await depositSignals(sql, network.name, again),
    async (deposit) => {
      const workflow = depositId(network.name, deposit.txid, deposit.index, deposit.variant)
      const found = await gate.signal(workflow, deposit.signal)
      // A finished deposit needs no reorg signal. At the threshold a workflow must exist, so restart it if it
      // does not.
      if (found || deposit.signal !== 'heightReached') return true
      lost.push(deposit.id)
      return false
    },
    (signalled) => markDepositsSignalled(sql, signalled),
  )
  await markDepositsUnstarted(sql, lost)
  return delivered
}

async function signalOwn(
  sql: Sql,
  network: Network,
  gate: WorkflowGate,
  again: Date | null,
): Promise<Delivered> {
  return deliver(
    sql,
    'transactions',
    await transactionSignals(sql, network.name, again),
    async (transaction) => {
      const found = await gate.signal(withdrawalId(transaction.payoutId), transaction.signal)
      // A reorg took back the end of a payout, so its workflow follows it again.
      if (!found && transaction.signal === 'reorged') {
        await startReopened(sql, network, gate, transaction.payoutId)
      }
      return true
    },
    (signalled) => markTransactionsSignalled(sql, signalled),
  )
}

/** Starts or signals the workflows of payments that changed. */
export async function wakePayments(
  sql: Sql,
  network: Network,
  gate: Pick<WorkflowGate, 'wakePayment'>,
): Promise<Delivered> {
  return deliver(
    sql,
    'payments',
    await pendingPayments(sql, network.name),
    async (payment) => {
      await gate.wakePayment(payment)
      return true
    },
    (woken) => markPaymentsWoken(sql, woken),
  )
}

async function startReopened(sql: Sql, network: Network, gate: WorkflowGate, id: string): Promise<void> {
  const input = await readWithdrawalInput(sql, new Map([[network.name, network]]), id)
  if (!input?.reopened) return
  await gate.startWithdrawal(input)
  await markWithdrawalStarted(sql, id)
}

/** Remembers what was delivered, also if Temporal fails meanwhile. */
async function deliver<T extends SweptRow>(
  sql: Sql,
  part: string,
  items: readonly T[],
  send: (item: T) => Promise<boolean>,
  remember: (delivered: readonly T[]) => Promise<void>,
): Promise<Delivered> {
  const delivered: T[] = []
  let count = 0
  let failure: unknown = null
  try {
    await sweepEach({ sql }, part, items, CONCURRENCY, async (item) => {
      if (await send(item)) delivered.push(item)
      count++
      return true
    })
  } catch (error) {
    failure = error
  }
  await remember(delivered)
  return { count, failure }
}
