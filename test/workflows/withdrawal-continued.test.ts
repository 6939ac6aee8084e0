/** A withdrawal whose workflow continues as new, which this server suggests after very few events. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createSender } from '../../egress/create-sender.js'
import { createTargetPolicy } from '../../egress/target-policy.js'
import { freePort } from '../../local/parts/free-port.js'
import { startTemporal, type Temporal } from '../../local/parts/temporal.js'
import { withdrawalId } from '../../temporal/ids.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import { testNetworks } from '../stage/test-networks.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

/** Events of a run’s history before the server suggests it. The default is in the thousands. */
const EVENTS = 40
const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
let directory: string
let temporal: Temporal
let connection: Connection
let client: Client
let service: WebhookReceiver
let stage: Stage
const sender = createSender({
  policy: createTargetPolicy({ allowCidrs: ['127.0.0.1/32'], allowHttp: true }),
  timeoutMs: 500,
})

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-continued-'))
  temporal = await startTemporal({
    port: await freePort(),
    uiPort: null,
    databaseFile: null,
    logFile: join(directory, 'temporal.log'),
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': EVENTS },
  })
  service = await startWebhookReceiver()
  connection = await Connection.connect({ address: temporal.address })
  client = new Client({ connection })
  stage = await startStage({
    networks: testNetworks({ ETHEREUM_ENABLED: 'true' }),
    temporal: { address: temporal.address, namespace: 'default', client },
    environment: { KEYTURN_WITHDRAWAL_SCREENING_URL: service.url },
    screening: { url: service.url, secret: null, sender },
  })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
  await stage.startWorker()
})
beforeEach(() => {
  service.behave(answers(503, ''))
})
afterAll(async () => {
  await stage?.close()
  await connection?.close()
  await Promise.all([service?.close(), temporal?.stop(), sender.close()])
  await rm(directory, { recursive: true, force: true })
})

async function ask(): Promise<string> {
  const { json } = await stage.create({ network: 'ethereum', coin: 'eth', amount: '1', to_address: TO })
  for (let look = 0; look < 400; look++) {
    if ((await stage.read(json.data.id)).waiting?.code === 'SCREENING_UNAVAILABLE') return json.data.id
    await sleep(50)
  }
  throw new Error('It does not wait for its screening')
}
const runOf = async (id: string) => (await client.workflow.getHandle(withdrawalId(id)).describe()).runId

/** Waits for a further run, waking the workflow so that its history grows. */
async function continuesAsNew(id: string, from: string): Promise<string> {
  for (let look = 0; look < 400; look++) {
    const run = await runOf(id)
    if (run !== from) return run
    await client.workflow.getHandle(withdrawalId(id)).signal('wake')
    await sleep(100)
  }
  throw new Error(`${id} never continued as new`)
}
/** Counts the decisions that were signalled to a run. */
async function decisionsIn(id: string, run: string): Promise<number> {
  const { events } = await client.workflow.getHandle(withdrawalId(id), run).fetchHistory()
  const signals = events?.map((event) => event.workflowExecutionSignaledEventAttributes?.signalName)
  return signals?.filter((name) => name === 'decide').length ?? 0
}

test('counts an approval that was given during the screening in the run that follows', async () => {
  const [, first, second] = stage.people
  const id = await ask()
  const before = await runOf(id)
  expect((await stage.decide(id, first)).status).toBe(201)
  const after = await continuesAsNew(id, before)
  // The signal was delivered to the run that is over: this is the case under test.
  expect(await decisionsIn(id, before)).toBe(1)
  service.behave(answers(200, JSON.stringify({ result: 'approved' })))
  await client.workflow.getHandle(withdrawalId(id)).signal('wake')
  await stage.until(id, 'pending_approval')
  expect(await decisionsIn(id, after)).toBe(0)
  expect((await stage.decide(id, second)).status).toBe(201)
  const view = await stage.until(id, 'approved')
  expect(view.approvals.map((approval) => approval.person_id)).toEqual([first.id, second.id])
}, 90_000)

test('counts two approvals, or a rejection, that were given during the screening in whichever run they came', async () => {
  const [, first, second] = stage.people
  const [approved, rejected] = [await ask(), await ask()]
  const runs = [await runOf(approved), await runOf(rejected)] as const
  await stage.approve(approved)
  await stage.decide(rejected, first)
  await stage.decide(rejected, second, 'reject')
  await continuesAsNew(approved, runs[0])
  await continuesAsNew(rejected, runs[1])
  service.behave(answers(200, JSON.stringify({ result: 'approved' })))
  for (const id of [approved, rejected]) {
    await client.workflow.getHandle(withdrawalId(id)).signal('wake')
  }
  await stage.until(approved, 'approved')
  await stage.until(rejected, 'rejected')
}, 90_000)
