/** Lives of payments for the tests of crash points: all that processes do, and what payers and miners do. */

import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { dispatchPending } from '../../../activities/chain/dispatch-pending.js'
import { inTransaction, type Sql } from '../../../db/connect.js'
import { confirmDeposit } from '../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../db/deposits/credit-deposit.js'
import { advancePayment } from '../../../db/payments/advance-payment.js'
import { createPayment } from '../../../db/payments/create-payment.js'
import { type PendingPayment, wakeChangedPayment } from '../../../db/payments/pending-payments.js'
import { findCoin } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { ledger, networks } from '../../stage/deposit-steps.js'
import type { PaymentStage } from '../../stage/payments.js'

/** What the test knows of a payment, whose user and order have the same name. */
export interface Subject {
  readonly user: string
  /** Changes of which the workflow of a payment was notified, by the payment's id. */
  readonly woken: Map<string, Set<number>>
  /** Acts of payers and miners that were done, which no crash undoes. */
  readonly done: Set<string>
}

/** Step of a life, by the connection of the process that takes it. */
export type Step = (sql: Sql, subject: Subject) => Promise<unknown>

export const PUBLIC_URL = 'https://pay.example.com'
/** Who requests everything. */
export const API = { cause: { kind: 'api', id: 'key_1' }, actor: 'key:key_1' } as const

/** Returns the steps of lives on a stage. Each payment asks for one whole coin. */
export function paymentLives(stage: PaymentStage) {
  const coin = findCoin(stage.network, stage.coin)
  let users = 0

  function newSubject(): Subject {
    users += 1
    return { user: `user-${users}`, woken: new Map(), done: new Set() }
  }

  /** Performs an act of the world outside once, however often processes die meanwhile. */
  function once({ done }: Subject, act: string, perform: () => unknown): void {
    if (done.has(act)) return
    done.add(act)
    perform()
  }

  /**
   * Creates the payment, unless an earlier request did, which finds it by its key. Only the process that created
   * it starts the workflow at once; if it dies before, the dispatcher does.
   */
  async function create(sql: Sql, subject: Subject): Promise<void> {
    const [made] = await idsOf(sql, subject)
    if (made !== undefined) return
    const { id } = await inTransaction(sql, (tx) =>
      createPayment(tx, {
        merchantId: stage.api.merchantId,
        network: stage.network,
        coin,
        userReference: subject.user,
        amount: 10n ** BigInt(coin.decimals),
        allowance: 0n,
        tolerance: null,
        quote: null,
        orderId: subject.user,
        successUrl: null,
        failureUrl: null,
        metadata: {},
        expiresInSeconds: 3_600,
        attemptOf: null,
        publicUrl: PUBLIC_URL,
        ...API,
      }),
    )
    await wakeChangedPayment(sql, id, wakeOf(subject))
  }

  async function idsOf(sql: Sql, { user }: Subject): Promise<string[]> {
    const rows = await sql<{ id: string }[]>`SELECT id FROM payments WHERE order_id = ${user} ORDER BY id`
    return rows.map((row) => row.id)
  }

  /** Takes the place of Temporal: it remembers of which change each workflow was notified. */
  function wakeOf({ woken }: Subject): (payment: PendingPayment) => Promise<void> {
    return async ({ id, version }) => {
      woken.set(id, (woken.get(id) ?? new Set()).add(version))
    }
  }

  /** Sends the amount once, as the payer does who sees the address. */
  async function pay(subject: Subject): Promise<void> {
    const address = await addressOf(subject)
    once(subject, 'pay', () => stage.send(address, '1'))
  }

  async function addressOf(subject: Subject): Promise<string> {
    const [row] = await stage.api.database.sql<{ address: string }[]>`
      SELECT address.address FROM payments payment JOIN addresses address ON address.id = payment.address_id
      WHERE payment.order_id = ${subject.user}`
    return row?.address ?? ''
  }

  /** Runs watcher, dispatcher and the workflows of the payments, as far as they have anything to do. */
  async function follow(sql: Sql, subject: Subject): Promise<void> {
    await advanceChain(sql, stage.model.adapter())
    await dispatchPending(sql, stage.network, {
      startDeposit: async () => true,
      startWithdrawal: () => Promise.reject(new Error('This test has no withdrawals')),
      startChainWatcher: async () => {},
      wakePayment: (payment) => wakeOf(subject)(payment as PendingPayment),
      signal: async () => true,
    })
    for (const id of await idsOf(sql, subject)) {
      if (subject.woken.has(id)) await advancePayment(sql, id)
    }
  }

  /** Confirms and credits the deposits, as their workflows do. */
  async function credit(sql: Sql, subject: Subject): Promise<void> {
    for (const id of await depositsOf(sql, subject)) {
      await confirmDeposit(sql, networks, id)
      await creditDeposit(sql, networks, id)
    }
  }

  /** Runs watcher and workflows until what was mined is credited. */
  async function settle(sql: Sql, subject: Subject): Promise<void> {
    await follow(sql, subject)
    await credit(sql, subject)
    await follow(sql, subject)
  }

  async function depositsOf(sql: Sql, { user }: Subject): Promise<string[]> {
    const rows = await sql<{ id: string }[]>`
      SELECT id FROM deposits WHERE user_reference = ${user} AND status <> 'reverted' ORDER BY id`
    return rows.map((row) => row.id)
  }

  async function facts(subject: Subject): Promise<unknown> {
    const { sql } = stage.api.database
    const payments = await sql`
      SELECT status, flags, amount_detected, amount_confirmed, reorged, wake_due, attempt_of IS NOT NULL AS again,
             reissued_as IS NOT NULL AS reissued, paid_at IS NOT NULL AS paid, confirmed_at IS NOT NULL AS confirmed,
             ended_at IS NOT NULL AS ended, jsonb_path_query_array(history, '$[*].status') AS history,
             jsonb_path_query_array(history, '$[*].cause.kind') AS causes
      FROM payments WHERE order_id = ${subject.user} ORDER BY id`
    const events = await sql`
      SELECT type, data ->> 'status' AS status, data ->> 'kind' AS kind, data -> 'flags' AS flags, data ->> 'previous_status' AS previous
      FROM events WHERE type IN ('payment.status_changed', 'exception.raised')
        AND (data ->> 'order_id' = ${subject.user} OR data ->> 'user_reference' = ${subject.user}) ORDER BY position`
    const audited = await sql`
      SELECT action FROM audit_log
      WHERE action LIKE 'payment.%' AND subject IN (SELECT id FROM payments WHERE order_id = ${subject.user}) ORDER BY position`
    const deposits = await sql`
      SELECT status, payment_id IS NOT NULL AS paid FROM deposits WHERE user_reference = ${subject.user} ORDER BY id`
    return {
      payments: [...payments],
      events: [...events],
      audited: [...audited],
      deposits: [...deposits],
      available: await ledger(sql, 'available', subject.user, coin.name),
      reserved: await ledger(sql, 'reserved', subject.user, coin.name),
      notified: await notified(subject),
    }
  }

  /** Whether the workflow of each payment was notified of its newest change, and has nothing to be notified of. */
  async function notified({ user, woken }: Subject): Promise<boolean[]> {
    const rows = await stage.api.database.sql<{ id: string; version: number; wake_due: boolean }[]>`
      SELECT id, version, wake_due FROM payments WHERE order_id = ${user} ORDER BY id`
    return rows.map(({ id, version, wake_due }) => !wake_due && woken.get(id)?.has(version) === true)
  }

  const mine = (blocks: number) => {
    for (let block = 0; block < blocks; block++) stage.model.mine()
  }

  /** Creates the payment, pays it, and confirms it. */
  async function confirm(sql: Sql, subject: Subject): Promise<void> {
    await create(sql, subject)
    await pay(subject)
    once(subject, 'mine', () => mine(1))
    await follow(sql, subject)
    once(subject, 'bury', () => mine(3))
    await settle(sql, subject)
  }

  async function prepared(...steps: readonly Step[]): Promise<Subject> {
    const subject = newSubject()
    for (const step of steps) await step(stage.api.database.sql, subject)
    return subject
  }

  /** Lets the time of the payment pass. */
  async function passTime(sql: Sql, { user }: Subject): Promise<void> {
    await sql`
      UPDATE payments SET created_at = created_at - interval '2 hours', expires_at = clock_timestamp() - interval '1 ms'
      WHERE order_id = ${user}`
  }

  return {
    newSubject,
    once,
    create,
    idsOf,
    pay,
    follow,
    settle,
    credit,
    depositsOf,
    facts,
    mine,
    confirm,
    prepared,
    passTime,
  }
}

/** Lets a request that is sent again be refused, because the first one was carried out. */
export async function unlessDone(request: () => Promise<unknown>): Promise<void> {
  try {
    await request()
  } catch (error) {
    if (!(error instanceof KeyturnError && error.code === 'INVALID_STATE')) throw error
  }
}
