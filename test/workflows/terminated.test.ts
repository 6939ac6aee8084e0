/**
 * Terminates every workflow at every stage at which it can be found. The sweeper's next round continues from
 * the row.
 */

import { sign } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { NativeConnection } from '@temporalio/worker'
import { createPublicClient, http, parseEther } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSweeperActivities } from '../../activities/operations/sweeper.js'
import type { ChainAdapter, EvmAdapter } from '../../chains/adapter.js'
import { loadEnvironment } from '../../config/load-environment.js'
import { approvalMessage } from '../../domain/controls/approval.js'
import { KeyturnError } from '../../domain/errors.js'
import { evmClients } from '../../local/parts/usdt.js'
import {
  batchId,
  consolidationId,
  controlChangeId,
  depositId,
  webhookDeliveryId,
  withdrawalId,
  withdrawalScheduleId,
} from '../../temporal/ids.js'
import { createScheduleGate, createWorkflowGate } from '../../temporal/workflow-gate.js'
import { createWorkers } from '../../workers/create-workers.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { addressOf, availableTo, depositsOf } from '../stage/rail-steps.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import { MASTER_KEY } from '../stage/test-api.js'
import { testNetworks } from '../stage/test-networks.js'
import { movementsOf, untilMovement, withTreasury } from '../stage/treasury.js'
import { type TestAnvil, testAnvil } from '../support/anvil.js'
import { sealOnce } from '../support/seal-once.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

type Hex = `0x${string}`
const quiet = { info() {}, warn() {}, error() {} }
let temporal: TestTemporal
let anvil: TestAnvil
let stage: Stage
let service: WebhookReceiver
let shop: WebhookReceiver
let connection: NativeConnection
let stopWorkers: () => Promise<void>
/** Methods of a node's adapter that are replaced at the moment. */
let fault: Partial<EvmAdapter> = {}

beforeAll(async () => {
  ;[temporal, anvil, service, shop] = await Promise.all([
    testTemporal(),
    testAnvil({ mining: 1 }),
    startWebhookReceiver(),
    startWebhookReceiver(),
  ])
  const networks = withTreasury(
    testNetworks({ ETHEREUM_ENABLED: 'true', ETHEREUM_RPC: anvil.rpc }),
    'ethereum',
    {
      automatic: false,
      consolidation: {
        least: { eth: parseEther('0.01') },
        worth: {},
        maxFeePercent: 20,
        retryMs: 1_000,
        expiryMs: 3_600_000,
      },
      gasDaily: parseEther('0.5'),
    },
  )
  const environment = {
    KEYTURN_WITHDRAWAL_SCREENING_URL: `${service.url}/withdrawal`,
    KEYTURN_WITHDRAWAL_SCREENING_ALLOW_CIDRS: '127.0.0.1/32',
    KEYTURN_SCREENING_URL: `${service.url}/deposit`,
    KEYTURN_SCREENING_ALLOW_CIDRS: '127.0.0.1/32',
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.1/32',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
    KEYTURN_REBROADCAST_INTERVAL: '500ms',
    KEYTURN_SWEEP_INTERVAL: '1h',
  }
  const faulty = (adapter: ChainAdapter) =>
    new Proxy(adapter, {
      get: (target, name) => (fault as Record<string | symbol, unknown>)[name] ?? Reflect.get(target, name),
    })
  stage = await startStage({ networks, temporal, environment, wrap: faulty })
  connection = await NativeConnection.connect({ address: temporal.address })
  stopWorkers = await startWorkers(environment)
  await sweep()
  const { address } = await stage.wallet('ethereum', 'hot')
  await anvil.call('anvil_setBalance', address, `0x${parseEther('100').toString(16)}`)
  await stage.credit('ethereum', 'eth', '', parseEther('100'))
}, 120_000)
afterAll(async () => {
  await stopWorkers?.()
  await connection?.close()
  await stage?.close()
  await Promise.all([anvil?.stop(), service?.close(), shop?.close(), temporal?.close()])
})

/** Starts workers of all queues of the product, as one process. */
async function startWorkers(variables: Record<string, string>): Promise<() => Promise<void>> {
  const stopping = new AbortController()
  const { workers, close } = await createWorkers(
    {
      environment: loadEnvironment({
        KEYTURN_DATABASE_URL: stage.api.database.url,
        KEYTURN_MASTER_KEY: MASTER_KEY,
        KEYTURN_TEMPORAL_NAMESPACE: temporal.namespace,
        ...variables,
      }),
      networks: stage.networks,
      sql: stage.api.database.sql,
      adapters: stage.adapters,
      connection,
      scheduleClient: temporal.client.schedule,
      workflowClient: temporal.client.workflow,
      log: quiet,
      bundle: await loadWorkflowBundle(),
      stopping: stopping.signal,
    },
    ['core', 'chain', 'webhooks'],
  )
  const runs = Promise.all(workers.map((worker) => worker.run()))
  return async () => {
    stopping.abort()
    for (const worker of workers) worker.shutdown()
    await runs
    await close()
  }
}

/** Sweeps once, as if some minutes had passed. */
async function sweep() {
  const swept = await createSweeperActivities({
    sql: stage.api.database.sql,
    networks: stage.networks,
    gate: createWorkflowGate(temporal.client.workflow),
    schedules: createScheduleGate(temporal.client.schedule, temporal.client.workflow),
    log: quiet,
    signalAgainAfterMs: 0,
    graceMs: 0,
    unseenMs: 0,
    nonceGapAfterMs: 600_000,
    unansweredAfterMs: 600_000,
    signerOfflineAfterMs: 600_000,
    idempotencyWindowMs: 600_000,
    webhookRetryIntervalMs: 60_000,
    webhookRetryWindowMs: 86_400_000,
  }).sweep()
  while (await sealOnce(stage.api.database.sql, temporal.client.workflow)) {}
  return swept
}

const terminate = (workflowId: string) =>
  temporal.client.workflow.getHandle(workflowId).terminate('an operator, by mistake')
const statusOf = async (workflowId: string) =>
  (await temporal.client.workflow.getHandle(workflowId).describe()).status.name
/** Terminates a workflow, sweeps, and expects that it runs again. */
async function terminateAndSweep(workflowId: string): Promise<void> {
  await terminate(workflowId)
  await sweep()
  expect(await statusOf(workflowId)).not.toBe('TERMINATED')
}
async function until<T>(check: () => Promise<T | false | undefined | null>, seconds = 30): Promise<T> {
  const deadline = Date.now() + seconds * 1_000
  for (;;) {
    const found = await check()
    if (found) return found
    if (Date.now() > deadline) throw new Error('It did not come to be')
    await sleep(50)
  }
}
const stageIs = (id: string, wanted: string) =>
  until(async () => {
    const [row] = await stage.api.database.sql<{ stage: string }[]>`
      SELECT stage FROM payouts WHERE id = ${id}`
    return row?.stage === wanted
  })
const reader = () => createPublicClient({ transport: http(anvil.rpc), cacheTime: 0 })
const balanceOf = (address: string) => reader().getBalance({ address: address as Hex })
const setMining = (seconds: number) => anvil.call('evm_setIntervalMining', seconds)
const says = (body: unknown) => service.behave(answers(200, JSON.stringify(body)))
const journalsOf = async (reference: string) =>
  (
    await stage.api.database.sql<{ type: string }[]>`
      SELECT type FROM ledger_journals WHERE reference = ${reference} ORDER BY id`
  ).map((row) => row.type)
const statusesOf = async (subject: string) =>
  (
    await stage.api.database.sql<{ status: string }[]>`
      SELECT data ->> 'status' AS status FROM events
      WHERE subject = ${subject} AND type LIKE '%.status_changed' ORDER BY position`
  ).map((row) => row.status)

describe('after a termination at any stage', () => {
  test('credits a deposit', async () => {
    service.behave(answers(503))
    await setMining(0)
    const to = await addressOf(stage, 'ethereum', 'payer')
    const { wallet } = evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
    const txid = await wallet.sendTransaction({ to: to as Hex, value: parseEther('2') })
    const workflow = depositId('ethereum', txid, 0)
    const statusIs = (wanted: string) =>
      until(async () => (await depositsOf(stage, txid))[0]?.status === wanted)
    await statusIs('detected')
    await until(async () => await statusOf(workflow).catch(() => null))
    await terminateAndSweep(workflow)
    await anvil.mine(1)
    await statusIs('unconfirmed')
    await terminateAndSweep(workflow)
    await anvil.mine(1)
    await statusIs('screening_requested')
    await terminateAndSweep(workflow)
    // A second termination, while the deposit waits for the service's answer and the chain does not grow.
    await terminateAndSweep(workflow)
    says({ result: 'approved' })
    await statusIs('success')
    const [deposit] = await depositsOf(stage, txid)
    expect(await journalsOf(deposit?.id ?? '')).toEqual(['deposit.confirmed', 'deposit.success'])
    expect(await statusesOf(deposit?.id ?? '')).toEqual([
      'detected',
      'unconfirmed',
      'confirmed',
      'screening_requested',
      'success',
    ])
    expect(await availableTo(stage, 'ethereum', 'eth', 'payer')).toBe('2')
    await setMining(1)
  })

  test('pays a withdrawal', async () => {
    service.behave(answers(503))
    const to = `0x${'a1'.repeat(20)}`
    const { json } = await stage.create({ network: 'ethereum', coin: 'eth', amount: '1', to_address: to })
    const id = json.data.id as string
    const workflow = withdrawalId(id)
    await until(async () => service.received.some((each) => each.headers['webhook-id'] === id))
    // The first approval comes before the screening has ended.
    expect((await stage.decide(id, stage.people[1])).status).toBe(201)
    await terminateAndSweep(workflow)
    says({ result: 'review' })
    await stageIs(id, 'pending_review')
    await terminateAndSweep(workflow)
    const reviewed = await stage.api.call({
      method: 'POST',
      path: `/api/v1/withdrawals/${id}/review`,
      body: { decision: 'approve', reason: 'known' },
      key: (await stage.newPerson('reviewer')).key,
    })
    expect(reviewed.status).toBe(200)
    await stageIs(id, 'pending_approval')
    await terminate(workflow)
    // The second approval comes while no workflow can count it.
    fault = { build: nodeIsAway }
    expect((await stage.decide(id, stage.people[2])).status).toBe(201)
    await sweep()
    await stageIs(id, 'building')
    await terminateAndSweep(workflow)
    fault = { broadcast: async () => ({ kind: 'unknown', reason: 'the node is away' }) }
    await stageIs(id, 'pending_signature')
    await terminateAndSweep(workflow)
    // The signer signs while no workflow waits for the answer.
    await terminate(workflow)
    const running = stage.signer.run()
    await until(async () => {
      const [request] = await stage.api.database.sql<{ state: string }[]>`
        SELECT state FROM signing_requests WHERE payout_id = ${id}`
      return request?.state === 'signed'
    })
    await running.stop()
    await setMining(0)
    await sweep()
    await stageIs(id, 'broadcasting')
    await terminateAndSweep(workflow)
    fault = {}
    await stageIs(id, 'confirming')
    await terminateAndSweep(workflow)
    await terminate(workflow)
    // The transaction is mined and confirmed while no workflow follows it.
    await anvil.mine(3)
    await sleep(300)
    await sweep()
    await stage.until(id, 'confirmed')
    await setMining(1)
    expect(await balanceOf(to)).toBe(parseEther('1'))
    expect(await journalsOf(id)).toEqual(['withdrawal.held', 'withdrawal.settled'])
    expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
    expect(await stage.api.database.sql`SELECT id FROM attempts WHERE payout_id = ${id}`).toHaveLength(1)
  })

  test('pays a batch and its part', async () => {
    says({ result: 'approved' })
    const recipients = [`0x${'b1'.repeat(20)}`, `0x${'b2'.repeat(20)}`]
    const { json } = await stage.createBatch({
      batch_withdrawal: {
        network: 'ethereum',
        coin: 'eth',
        outputs: recipients.map((to_address) => ({ to_address, amount: '0.5' })),
      },
    })
    const id = json.data.id as string
    expect((await stage.decide(id, stage.people[1])).status).toBe(201)
    await until(async () => await statusOf(batchId(id)).catch(() => null))
    await terminate(batchId(id))
    expect((await stage.decide(id, stage.people[2])).status).toBe(201)
    await sweep()
    const parts = await until(async () => {
      const rows = await stage.api.database.sql<{ id: string }[]>`
        SELECT id FROM payouts WHERE batch_id = ${id} AND stage = 'pending_signature'`
      return rows.length > 0 && [...rows]
    })
    await terminateAndSweep(batchId(id))
    for (const part of parts) await terminateAndSweep(withdrawalId(part.id))
    const running = stage.signer.run()
    await until(async () => {
      const rows = await stage.api.database.sql<{ id: string }[]>`
        SELECT id FROM payouts WHERE batch_id = ${id} AND stage = 'confirming'`
      return rows.length > 0
    })
    await terminateAndSweep(batchId(id))
    await stage.untilBatch(id, 'confirmed')
    await running.stop()
    for (const to of recipients) expect(await balanceOf(to)).toBe(parseEther('0.5'))
    expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
  })

  test('completes a consolidation and its movement', async () => {
    says({ result: 'approved' })
    const from = await addressOf(stage, 'ethereum', 'saver')
    const { wallet } = evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
    const txid = await wallet.sendTransaction({ to: from as Hex, value: parseEther('3') })
    await until(async () => (await depositsOf(stage, txid))[0]?.status === 'success')
    const [address] = await stage.api.database.sql<{ id: string }[]>`
      SELECT id FROM addresses WHERE address = ${from}`
    const body = { network: 'ethereum', coin: 'eth', address_id: address?.id }
    const asked = await stage.api.call({ method: 'POST', path: '/api/v1/movements/consolidate', body })
    expect(asked.status).toBe(200)
    const movement = await untilMovement(stage, (each) => each.stage === 'pending_signature')
    const sweepOf = consolidationId('ethereum', 'eth', address?.id ?? '')
    await terminateAndSweep(withdrawalId(movement.id))
    await terminate(sweepOf)
    await stage.api.database.sql`UPDATE consolidations SET due_at = now() - interval '1 minute'`
    await sweep()
    expect(await statusOf(sweepOf)).toBe('RUNNING')
    const running = stage.signer.run()
    await untilMovement(stage, (each) => each.id === movement.id && each.stage === 'confirmed')
    await until(async () => (await statusOf(sweepOf)) === 'COMPLETED')
    await running.stop()
    expect((await movementsOf(stage)).filter((each) => each.kind === 'consolidation')).toHaveLength(1)
    expect(await balanceOf(from)).toBe(await stage.balance('ethereum', 'eth', 'chain', address?.id ?? ''))
  })

  test('applies a change of controls', async () => {
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/whitelist/addresses',
      body: { network: 'ethereum', address: `0x${'c1'.repeat(20)}`, label: 'Supplier' },
      key: stage.people[0].key,
    })
    const id = json.data.id as string
    const workflow = controlChangeId('whitelist', id)
    await until(async () => await statusOf(workflow).catch(() => null))
    const stateIs = (wanted: string) =>
      until(async () => {
        const [row] = await stage.api.database.sql<{ state: string }[]>`
          SELECT state FROM control_changes WHERE id = ${id}`
        return row?.state === wanted
      })
    expect((await decideOnEntry(id, 1)).status).toBe(201)
    await terminate(workflow)
    expect((await decideOnEntry(id, 2)).status).toBe(201)
    await sweep()
    await stateIs('cooling_down')
    await terminate(workflow)
    await stage.api.database.sql`
      UPDATE control_changes SET effective_at = now() WHERE id = ${id}`
    await sweep()
    await stateIs('effective')
    expect(await temporal.client.workflow.getHandle(workflow).result()).toBe('effective')
  })

  test('delivers a webhook', async () => {
    shop.behave(answers(500))
    const created = await stage.api.call({
      method: 'POST',
      path: '/api/v1/webhook-endpoints',
      body: { url: `${shop.url}/hook` },
    })
    expect(created.status).toBe(201)
    const tested = await stage.api.call({
      method: 'POST',
      path: `/api/v1/webhook-endpoints/${created.json.data.id}/test`,
      body: {},
    })
    expect(tested.status).toBeLessThan(300)
    const delivery = await until(async () => {
      while (await sealOnce(stage.api.database.sql, temporal.client.workflow)) {}
      const [row] = await stage.api.database.sql<{ id: string; event_id: string; attempts: number }[]>`
        SELECT id, event_id, attempts FROM webhook_deliveries WHERE endpoint_id = ${created.json.data.id}
        ORDER BY created_at LIMIT 1`
      return row && row.attempts > 0 && row
    })
    const workflow = webhookDeliveryId(delivery.event_id, created.json.data.id)
    for (const answer of [500, 204]) {
      await terminate(workflow)
      shop.behave(answers(answer))
      const before = shop.received.length
      await until(async () => {
        // An attempt that is under way may still write when the next one is due.
        await stage.api.database.sql`
          UPDATE webhook_deliveries SET next_attempt_at = now() - interval '2 hours' WHERE id = ${delivery.id}`
        await sweep()
        return shop.received.length > before
      })
    }
    await until(async () => {
      const [row] = await stage.api.database.sql<{ status: string }[]>`
        SELECT status FROM webhook_deliveries WHERE id = ${delivery.id}`
      return row?.status === 'delivered'
    })
  })

  test('fires a schedule and pays its withdrawal', async () => {
    says({ result: 'approved' })
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/withdrawal-schedules',
      body: {
        label: 'Payroll',
        interval_seconds: 86_400,
        start_at: '2026-01-01T08:00:00Z',
        withdrawal: { network: 'ethereum', coin: 'eth', amount: '1', to_address: `0x${'d1'.repeat(20)}` },
      },
      key: stage.people[0].key,
    })
    const id = json.data.id as string
    const handle = temporal.client.schedule.getHandle(withdrawalScheduleId(id))
    await until(async () => await handle.describe().catch(() => null))
    await stopWorkers()
    await handle.backfill({
      start: new Date('2026-02-01T00:00:00Z'),
      end: new Date('2026-02-01T12:00:00Z'),
      overlap: 'ALLOW_ALL',
    })
    const query = `WorkflowType = 'scheduledWithdrawal' AND WorkflowId STARTS_WITH '${withdrawalScheduleId(id)}'`
    const listed = async () => {
      const runs = []
      for await (const run of temporal.client.workflow.list({ query })) runs.push(run)
      return runs
    }
    const [firing] = await until(async () => {
      const runs = await listed()
      return runs.length > 0 && runs
    })
    // The test terminates twice, so that the sweeper repairs a repair.
    for (let round = 1; round <= 2; round++) {
      await terminate(firing?.workflowId ?? '')
      await until(async () => {
        await sweep()
        return (await statusOf(firing?.workflowId ?? '')) === 'RUNNING'
      })
    }
    await handle.delete()
    stopWorkers = await startWorkers({ KEYTURN_SWEEP_INTERVAL: '1h' })
    const firings = await until(async () => {
      const rows = await stage.api.database.sql<{ nominal_at: Date; withdrawal_id: string }[]>`
        SELECT nominal_at, withdrawal_id FROM schedule_firings WHERE schedule_id = ${id}`
      return rows.length > 0 && [...rows]
    })
    expect(firings.map((each) => each.nominal_at.toISOString())).toEqual(['2026-02-01T08:00:00.000Z'])
    await sweep()
    await stage.api.database.sql`UPDATE withdrawal_schedules SET checked_at = NULL`
    await sweep()
    expect((await handle.describe()).scheduleId).toBe(withdrawalScheduleId(id))
    expect(
      await stage.api.database.sql`SELECT id FROM schedule_firings WHERE schedule_id = ${id}`,
    ).toHaveLength(1)
  })
})

const nodeIsAway = () => Promise.reject(new KeyturnError('DEPENDENCY_UNAVAILABLE', 'The node is away'))

async function decideOnEntry(id: string, person: 1 | 2) {
  const path = `/api/v1/whitelist/addresses/${id}`
  const { json } = await stage.api.call({ path: `${path}/intent` })
  const { approverId, privateKey, key } = stage.people[person]
  const signed = {
    decision: 'approve' as const,
    intent_hash: json.data.intent_hash as string,
    signed_at: new Date().toISOString(),
  }
  const message = approvalMessage({ ...signed, approver_id: approverId })
  return stage.api.call({
    method: 'POST',
    path: `${path}/approvals`,
    key,
    body: { ...signed, signature: sign(null, Buffer.from(message), privateKey).toString('base64') },
  })
}
