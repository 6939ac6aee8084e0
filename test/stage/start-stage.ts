/**
 * Starts all that a payout meets: the API, workers, an enrolled signer's double, an initiator and two
 * approvers.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { follow } from '../../activities/chain/follow.js'
import type { WithdrawalChainDependencies } from '../../activities/payouts/withdrawal/dependencies.js'
import type { ChainAdapter } from '../../chains/adapter.js'
import { createAdapter } from '../../chains/create-adapter.js'
import { postJournal } from '../../db/books/ledger/post-journal.js'
import { createEnrolmentToken } from '../../db/merchants/create-enrolment-token.js'
import { newId } from '../../db/new-id.js'
import type { Networks } from '../../domain/chain/network.js'
import type { Decision } from '../../domain/controls/approval.js'
import { type BatchStatus, isBatchFinal } from '../../domain/payouts/batch-status.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import { batchId, withdrawalId } from '../../temporal/ids.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import type { Batch } from '../../wire/batch.js'
import type { Withdrawal } from '../../wire/withdrawal.js'
import type { TestTemporal } from '../support/temporal.js'
import { expectDeclaredEvents } from './expect-declared.js'
import { storeHistory } from './histories.js'
import { newPerson, sendDecision, type TestPerson } from './people.js'
import { createSignerDouble, type SignerDouble } from './signer-double.js'
import { startWorker } from './start-worker.js'
import { type Answer, type ApiKeyPair, MASTER_KEY, startTestApi, type TestApi } from './test-api.js'

/** Paths of the resources that people decide about, by the prefix of their ids. */
const PATHS: Readonly<Record<string, string>> = {
  batch: 'batches',
  mov: 'movements',
  pol: 'policy/changes',
  wla: 'whitelist/addresses',
  rel: 'deposits/releases',
  rsm: 'settlement/resumptions',
}
const silent = { info() {}, warn() {}, error() {} }

export interface StageOptions {
  /** Networks with the URLs of the test's nodes. */
  readonly networks: Networks
  readonly temporal?: Pick<TestTemporal, 'address' | 'namespace' | 'client'>
  readonly environment?: Record<string, string>
  /** Wraps an adapter to make its node misbehave. */
  readonly wrap?: (adapter: ChainAdapter) => ChainAdapter
  readonly screening?: WithdrawalChainDependencies['screening']
  readonly signatureLookMs?: { readonly online: number; readonly offline: number }
}

export interface Stage {
  readonly api: TestApi
  readonly networks: Networks
  readonly signer: SignerDouble
  readonly people: readonly [TestPerson, TestPerson, TestPerson]
  readonly adapters: ReadonlyMap<string, ChainAdapter>
  /** Registers another person with an approver's key. */
  newPerson(name: string): Promise<TestPerson>
  /** Returns the merchant's first wallet of a kind. */
  wallet(network: string, kind: 'master' | 'hot' | 'gas' | 'change'): Promise<{ id: string; address: string }>
  /**
   * Posts a journal by which the hot wallet holds `amount` base units that are `owner`'s (the merchant
   * itself: `''`).
   */
  credit(network: string, coin: string, owner: string, amount: bigint): Promise<void>
  /** Requests a withdrawal. */
  create(body: Record<string, unknown>, key?: ApiKeyPair): Promise<Answer>
  /** Requests a withdrawal. @returns Its id. @throws Error when the API refuses it. */
  request(body: Record<string, unknown>): Promise<string>
  read(id: string): Promise<Withdrawal>
  /** Requests a batch. @param body - `batch_withdrawal` and the fields beside it. */
  createBatch(body: Record<string, unknown>, key?: ApiKeyPair): Promise<Answer>
  readBatch(id: string): Promise<Batch>
  /** Waits for a status of a batch. @throws Error when the batch ends with another one. */
  untilBatch(id: string, status: BatchStatus, seconds?: number): Promise<Batch>
  /** Signs and sends a decision about a payout, batch, change or release. */
  decide(
    id: string,
    person: TestPerson,
    decision?: Decision,
    change?: Record<string, unknown>,
  ): Promise<Answer>
  /** Sends the approvals of both approvers. */
  approve(id: string): Promise<void>
  /** Waits for a stage of a withdrawal. @throws Error when the withdrawal ends in another one. */
  until(id: string, stage: WithdrawalStage, seconds?: number): Promise<Withdrawal>
  /** Waits until a withdrawal, as the API shows it, is as `holds` says. */
  untilView(id: string, holds: (view: Withdrawal) => boolean, seconds?: number): Promise<Withdrawal>
  startWorker(): Promise<{ stop(): Promise<void> }>
  /** Stops all workers that the test started. */
  stopWorkers(): Promise<void>
  /**
   * Follows the chains as the watcher does, until `close()`. Records deposits, but starts no workflows of
   * them.
   */
  follow(): void
  /** Returns the balance of a ledger account in base units, with the sign of the ledger. */
  balance(network: string, coin: string, kind: string, owner: string): Promise<bigint>
  /**
   * Waits for the end of a withdrawal's or batch's workflow. Stores its history as `name` when a run records
   * histories.
   */
  ended(id: string, name: string): Promise<unknown>
  /** Stops the signer and the workers, then drops the database. */
  close(): Promise<void>
}

/** Starts the stage with an enrolled signer. Workers start with `startWorker()` only. */
export async function startStage(options: StageOptions): Promise<Stage> {
  const { networks, temporal } = options
  const api = await startTestApi(
    { KEYTURN_REBROADCAST_INTERVAL: '500ms', ...options.environment },
    {
      networks,
      temporal: temporal ? { workflow: temporal.client.workflow, schedule: temporal.client.schedule } : null,
    },
  )
  const { sql } = api.database
  const { merchantId } = api
  const signer = createSignerDouble(api, networks)
  const { token } = await createEnrolmentToken(sql, MASTER_KEY, { merchantId })
  const enrolled = await signer.enrol(token)
  if (enrolled.status !== 201) throw new Error(enrolled.text)
  const people = await Promise.all(['initiator', 'first', 'second'].map((name) => newPerson(api, name)))
  const [initiator, first, second] = people
  if (!initiator || !first || !second) throw new Error('three people')
  const wrap = options.wrap ?? ((adapter) => adapter)
  const adapters = new Map(
    [...networks.values()].map((network) => [network.name, wrap(createAdapter(network))] as const),
  )
  const workers: { stop(): Promise<void> }[] = []
  const following: Promise<void>[] = []
  const closing = new AbortController()

  const stage: Stage = {
    api,
    networks,
    signer,
    people: [initiator, first, second],
    adapters,
    newPerson: (name) => newPerson(api, name),
    async wallet(network, kind) {
      const [row] = await sql<{ id: string; address: string }[]>`
        SELECT id, address FROM addresses WHERE merchant_id = ${merchantId} AND network = ${network} AND kind = ${kind}
        ORDER BY index LIMIT 1`
      if (!row) throw new Error(`no ${kind} wallet`)
      return { id: row.id, address: row.address }
    },
    async credit(network, coin, owner, amount) {
      const { id } = await stage.wallet(network, 'hot')
      await sql.begin((tx) =>
        postJournal(tx, {
          merchantId,
          idempotencyKey: newId('evt'),
          type: 'test.credited',
          reference: 'test',
          entries: [
            { network, coin, kind: 'chain', owner: id, amount },
            { network, coin, kind: 'available', owner, amount: -amount },
          ],
        }),
      )
    },
    create: (body, key = initiator.key) =>
      api.call({ method: 'POST', path: '/api/v1/withdrawals', body, key }),
    async read(id) {
      const { json } = await api.call({ path: `/api/v1/withdrawals/${id}` })
      return json.data
    },
    async request(body) {
      const { status, json } = await stage.create(body)
      if (status !== 201) throw new Error(JSON.stringify(json))
      return json.data.id
    },
    createBatch: (body, key = initiator.key) =>
      api.call({ method: 'POST', path: '/api/v1/withdrawals/batch', body, key }),
    async readBatch(id) {
      const { json } = await api.call({ path: `/api/v1/batches/${id}` })
      return json.data
    },
    async untilBatch(id, wanted, seconds = 60) {
      const deadline = Date.now() + seconds * 1_000
      for (;;) {
        const view = await stage.readBatch(id)
        if (view.status === wanted) return view
        if (isBatchFinal(view.stage) || Date.now() > deadline) {
          const waiting =
            await sql`SELECT waiting FROM payouts WHERE batch_id = ${id} AND waiting IS NOT NULL`
          throw new Error(`${id} is ${view.status}, not ${wanted}: ${JSON.stringify([view.counts, waiting])}`)
        }
        await sleep(50)
      }
    },
    decide(id, person, decision = 'approve', change = {}) {
      const path = PATHS[id.split('_')[0] ?? ''] ?? 'withdrawals'
      return sendDecision(api, `/api/v1/${path}/${id}`, person, decision, change)
    },
    async approve(id) {
      for (const person of [first, second]) {
        const { status, json } = await stage.decide(id, person)
        if (status !== 201) throw new Error(JSON.stringify(json))
      }
    },
    async until(id, wanted, seconds = 40) {
      const deadline = Date.now() + seconds * 1_000
      for (;;) {
        const view = await stage.read(id)
        if (view.stage === wanted || view.history.some((entry) => entry.stage === wanted)) return view
        const ended = ['confirmed', 'rejected', 'expired', 'cancelled', 'failed', 'reverted'].includes(
          view.stage,
        )
        if (ended || Date.now() > deadline) {
          throw new Error(
            `${id} is ${view.stage}, not ${wanted}: ${JSON.stringify([view.failure, view.waiting])}`,
          )
        }
        await sleep(50)
      }
    },
    async untilView(id, holds, seconds = 60) {
      const deadline = Date.now() + seconds * 1_000
      for (;;) {
        const view = await stage.read(id)
        if (holds(view)) return view
        if (Date.now() > deadline) throw new Error(`${id} stays ${JSON.stringify(view)}`)
        await sleep(50)
      }
    },
    async startWorker() {
      const worker = await startWorker(requireTemporal(temporal), api, {
        networks,
        adapters,
        ...(options.screening ? { screening: options.screening } : {}),
        ...(options.signatureLookMs ? { signatureLookMs: options.signatureLookMs } : {}),
      })
      workers.push(worker)
      return worker
    },
    async stopWorkers() {
      await Promise.all(workers.splice(0).map((worker) => worker.stop()))
    },
    follow() {
      const gate = createWorkflowGate(requireTemporal(temporal).client.workflow)
      for (const adapter of adapters.values()) {
        following.push(
          follow({
            sql,
            adapter,
            gate: { ...gate, startDeposit: async () => true },
            log: silent,
            signal: closing.signal,
            until: Number.POSITIVE_INFINITY,
            forward: async () => 0,
          }),
        )
      }
    },
    async balance(network, coin, kind, owner) {
      const [row] = await sql<{ balance: bigint }[]>`
        SELECT balance FROM ledger_accounts
        WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin} AND kind = ${kind} AND owner = ${owner}`
      return row?.balance ?? 0n
    },
    async ended(id, name) {
      const type = id.startsWith('batch_') ? 'batch' : 'withdrawal'
      const workflowId = type === 'batch' ? batchId(id) : withdrawalId(id)
      const handle = requireTemporal(temporal).client.workflow.getHandle(workflowId)
      const result = await handle.result()
      await storeHistory(`${type}.${name}`, () => handle.fetchHistory())
      return result
    },
    async close() {
      closing.abort()
      await signer.stop()
      await Promise.all(following)
      await stage.stopWorkers()
      await Promise.all([...adapters.values()].map((adapter) => adapter.close()))
      try {
        await expectDeclaredEvents(api.database.sql)
      } finally {
        await api.database.drop()
      }
    },
  }
  return stage
}

function requireTemporal<T>(temporal: T | undefined): T {
  if (!temporal) throw new Error('This needs a Temporal server')
  return temporal
}
