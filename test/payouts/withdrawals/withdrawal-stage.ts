/** Everything that a withdrawal meets: API, workers, Temporal, a chain, a signer double, two approvers and an initiator. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { temporal as proto } from '@temporalio/proto'
import { NativeConnection, Worker } from '@temporalio/worker'
import { follow } from '../../../activities/chain/follow.js'
import { createBatchActivities } from '../../../activities/payouts/batch.js'
import { createTreasuryActivities } from '../../../activities/payouts/treasury.js'
import type { WithdrawalChainDependencies } from '../../../activities/payouts/withdrawal/dependencies.js'
import { createWithdrawalActivities } from '../../../activities/payouts/withdrawal.js'
import { createWithdrawalChainActivities } from '../../../activities/payouts/withdrawal-chain.js'
import type { ChainAdapter } from '../../../chains/adapter.js'
import { createAdapter } from '../../../chains/create-adapter.js'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { createApprover } from '../../../db/merchants/create-approver.js'
import { createEnrolmentToken } from '../../../db/merchants/create-enrolment-token.js'
import { createPerson } from '../../../db/merchants/create-person.js'
import { newId } from '../../../db/new-id.js'
import type { BatchView } from '../../../db/payouts/batches/read-batch-view.js'
import type { WithdrawalView } from '../../../db/payouts/withdrawals/read-withdrawal-view.js'
import type { Networks } from '../../../domain/chain/network.js'
import { approvalMessage, type Decision } from '../../../domain/controls/approval.js'
import { type BatchStatus, isBatchFinal } from '../../../domain/payouts/batch-status.js'
import type { WithdrawalStage } from '../../../domain/payouts/withdrawal-stage.js'
import { parseNetworks } from '../../../networks/load-networks.js'
import { batchId, withdrawalId } from '../../../temporal/ids.js'
import { createWorkflowGate } from '../../../temporal/workflow-gate.js'
import { type Answer, type ApiKeyPair, MASTER_KEY, startTestApi, type TestApi } from '../../api/test-api.js'
import type { TestTemporal } from '../../support/temporal.js'
import { createSignerDouble, type SignerDouble } from './signer-double.js'

/** Where the things that people decide about lie, by the prefix of their ids. */
const PATHS: Readonly<Record<string, string>> = {
  batch: 'batches',
  mov: 'movements',
  pol: 'policy/changes',
  wla: 'whitelist/addresses',
  rel: 'deposits/releases',
}
const silent = { info() {}, warn() {}, error() {} }

export interface TestPerson {
  readonly id: string
  readonly approverId: string
  readonly key: ApiKeyPair
  readonly privateKey: KeyObject
}

export interface WithdrawalStageOptions {
  /** Text of `networks.yml` with real URLs. */
  readonly networks: Networks
  readonly temporal?: Pick<TestTemporal, 'address' | 'namespace' | 'client'>
  readonly environment?: Record<string, string>
  /** Wraps an adapter to make its node misbehave. */
  readonly wrap?: (adapter: ChainAdapter) => ChainAdapter
  readonly screening?: WithdrawalChainDependencies['screening']
  readonly signatureLookMs?: { readonly online: number; readonly offline: number }
}

export interface TestWithdrawals {
  readonly api: TestApi
  readonly networks: Networks
  readonly signer: SignerDouble
  readonly people: readonly [TestPerson, TestPerson, TestPerson]
  readonly adapters: ReadonlyMap<string, ChainAdapter>
  /** A further person with an approver's key. */
  newPerson(name: string): Promise<TestPerson>
  /** Address of a wallet. */
  wallet(network: string, kind: 'master' | 'hot' | 'gas' | 'change'): Promise<{ id: string; address: string }>
  /** Makes the ledger owe `amount` base units to a user (or the merchant itself: ''), held at a wallet. */
  credit(network: string, coin: string, owner: string, amount: bigint): Promise<void>
  create(body: Record<string, unknown>, key?: ApiKeyPair): Promise<Answer>
  read(id: string): Promise<WithdrawalView>
  /** @param body - `batch_withdrawal` and what stands beside it. */
  createBatch(body: Record<string, unknown>, key?: ApiKeyPair): Promise<Answer>
  readBatch(id: string): Promise<BatchView>
  /** Waits for a status of a batch; @throws when it ends elsewhere. */
  untilBatch(id: string, status: BatchStatus, seconds?: number): Promise<BatchView>
  decide(
    id: string,
    person: TestPerson,
    decision?: Decision,
    change?: Record<string, unknown>,
  ): Promise<Answer>
  approve(id: string): Promise<void>
  /** Waits for a stage; @throws when it ends elsewhere. */
  until(id: string, stage: WithdrawalStage, seconds?: number): Promise<WithdrawalView>
  startWorker(): Promise<{ stop(): Promise<void> }>
  stopWorkers(): Promise<void>
  /** Follows the chains as the watcher does, until closed; deposits are recorded, their workflows not started. */
  follow(): void
  /** Balance of a ledger account in base units as the ledger signs it. */
  balance(network: string, coin: string, kind: string, owner: string): Promise<bigint>
  /** Waits for the end of a withdrawal's or batch's workflow; keeps its history as `name` when histories are to be recorded. */
  ended(id: string, name: string): Promise<unknown>
  close(): Promise<void>
}

/** Parses the networks that ship with the product against the nodes of a test. */
export function testNetworks(variables: Record<string, string>): Networks {
  return parseNetworks(
    `
networks:
  ethereum:
    family: evm
    enabled: \${ETHEREUM_ENABLED:-false}
    chain_id: 31337
    coin: { name: eth, decimals: 18 }
    derivation: { purpose: 44, coin_type: 60 }
    rpc_urls: "\${ETHEREUM_RPC:-http://127.0.0.1:1}"
    confirmations: 2
    block_time_seconds: 1
    poll_interval: 100ms
    fees: { max_fee_gwei: 500, max_priority_fee_gwei: 50, max_total: "0.05" }
    replacement: { automatic: \${REPLACE_AUTOMATICALLY:-false}, after: { low: 2s, normal: 2s, high: 2s, urgent: 2s } }
    tokens:
      usdt: { contract: "\${ETHEREUM_USDT:-0xdAC17F958D2ee523a2206206994597C13D831ec7}", decimals: 6 }
  bitcoin:
    family: utxo
    enabled: \${BITCOIN_ENABLED:-false}
    chain: regtest
    coin: { name: btc, decimals: 8 }
    rpc_urls: "\${BITCOIN_RPC:-http://127.0.0.1:1}"
    confirmations: 2
    block_time_seconds: 1
    poll_interval: 100ms
    fees: { fallback_rate: 5, min_rate: 1, max_rate: 500, max_total: "0.01" }
    replacement: { automatic: \${REPLACE_AUTOMATICALLY:-false}, after: { low: 2s, normal: 2s, high: 2s, urgent: 2s } }
utxo_chains:
  bitcoin:
    regtest: { genesis: 0f9188f13cb7b2c71f2a335e3a4fc328, bech32: bcrt, pub_key_hash: 0x6f, script_hash: 0xc4,
               xpub: 0x043587cf, xprv: 0x04358394, purpose: 84, coin_type: 1, script: p2wpkh }
`,
    variables,
  )
}

/** Sets everything up with an enrolled signer; workers only when asked for. */
export async function startWithdrawals(options: WithdrawalStageOptions): Promise<TestWithdrawals> {
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

  const stage: TestWithdrawals = {
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
    async decide(id, person, decision = 'approve', change = {}) {
      const prefix = id.split('_')[0] ?? ''
      const path = `/api/v1/${PATHS[prefix] ?? 'withdrawals'}/${id}`
      const { json } = await api.call({ path: `${path}/intent` })
      const signed = {
        decision,
        intent_hash: json.data?.intent_hash ?? '0'.repeat(64),
        signed_at: new Date().toISOString(),
        approver_id: person.approverId,
        ...change,
      }
      const { approver_id: _, ...body } = signed
      return api.call({
        method: 'POST',
        path: `${path}/approvals`,
        key: person.key,
        body: {
          ...body,
          signature: sign(null, Buffer.from(approvalMessage(signed)), person.privateKey).toString('base64'),
          ...(change.signature === undefined ? {} : { signature: change.signature }),
        },
      })
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
      // For the replay test: KEYTURN_RECORD_HISTORIES=1 npx vitest run test/workflows
      if (process.env.KEYTURN_RECORD_HISTORIES) {
        const history = proto.api.history.v1.History.encode(await handle.fetchHistory()).finish()
        writeFileSync(new URL(`../../histories/${type}.${name}.pb`, import.meta.url), history)
      }
      return result
    },
    async close() {
      closing.abort()
      await Promise.all(following)
      await stage.stopWorkers()
      await Promise.all([...adapters.values()].map((adapter) => adapter.close()))
      await api.database.drop()
    },
  }
  return stage
}

function requireTemporal<T>(temporal: T | undefined): T {
  if (!temporal) throw new Error('This needs a Temporal server')
  return temporal
}

async function newPerson(api: TestApi, name: string): Promise<TestPerson> {
  const { sql } = api.database
  const { merchantId } = api
  const id = await createPerson(sql, { merchantId, name })
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const approverId = await createApprover(sql, { merchantId, personId: id, ed25519PublicKey: raw })
  const key = await api.newKey({ personId: id })
  return { id, approverId, key, privateKey }
}

/** Core and chain queues in this process; `stop()` ends them as a deployment would. */
async function startWorker(
  temporal: Pick<TestTemporal, 'address' | 'namespace' | 'client'>,
  api: TestApi,
  parts: Omit<WithdrawalChainDependencies, 'sql'>,
): Promise<{ stop(): Promise<void> }> {
  const { sql } = api.database
  const connection = await NativeConnection.connect({ address: temporal.address })
  const common = { connection, namespace: temporal.namespace, shutdownGraceTime: '1s' as const }
  const core = await Worker.create({
    ...common,
    taskQueue: 'core',
    workflowsPath: fileURLToPath(new URL('../../../workflows/index.ts', import.meta.url)),
    activities: {
      ...createWithdrawalActivities({ sql, networks: parts.networks, rebroadcastMs: 500 }),
      ...createBatchActivities({
        sql,
        networks: parts.networks,
        gate: createWorkflowGate(temporal.client.workflow),
      }),
    },
  })
  const chain = await Worker.create({
    ...common,
    taskQueue: 'chain',
    activities: {
      ...createWithdrawalChainActivities({ sql, ...parts }),
      ...createTreasuryActivities({
        sql,
        ...parts,
        gate: createWorkflowGate(temporal.client.workflow),
        log: silent,
      }),
    },
  })
  const running = [core.run(), chain.run()]
  let stopped = false
  return {
    async stop() {
      if (stopped) return
      stopped = true
      core.shutdown()
      chain.shutdown()
      await Promise.all(running)
      await connection.close()
    },
  }
}
