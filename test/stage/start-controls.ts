/**
 * Starts a merchant's controls: a stage with a worker for changes of policy and whitelist, and three people.
 */

import { NativeConnection, Worker } from '@temporalio/worker'
import { createPeriodActivities } from '../../activities/books/period-close.js'
import { createControlChangeActivities } from '../../activities/controls/control-change.js'
import { createSettlementActivities } from '../../activities/controls/settlement.js'
import { heartbeating } from '../../activities/heartbeating.js'
import { createWithdrawalActivities } from '../../activities/payouts/withdrawal.js'
import type { Decision } from '../../domain/controls/approval.js'
import { controlChangeId } from '../../temporal/ids.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'
import { sendDecision, type TestPerson } from './people.js'
import { type Stage, startStage } from './start-stage.js'
import type { Answer } from './test-api.js'
import { testNetworks } from './test-networks.js'

export interface Controls {
  readonly stage: Stage
  readonly temporal: TestTemporal
  /** Calls the API with a person's key, by default the first person's. */
  call(method: string, path: string, body?: unknown, person?: TestPerson): Promise<Answer>
  /** Signs the intent under a path and sends the decision. */
  decide(path: string, person: TestPerson, decision?: Decision): Promise<Answer>
  /** Sends the approvals of the two people who did not request it. */
  approve(path: string): Promise<void>
  /** Repeats a check until it returns something else than `false`. */
  until<T>(check: () => Promise<T | false>): Promise<T>
  /** Ends the cool-down of a change now. */
  endCoolDown(kind: 'policy' | 'whitelist', id: string): Promise<void>
  /** Waits for the end of a change's workflow. @returns Its result. */
  result(kind: 'policy' | 'whitelist', id: string): Promise<unknown>
  close(): Promise<void>
}

/** Starts the controls, with the default cool-downs. */
export async function startControls(variables: Record<string, string> = {}): Promise<Controls> {
  const temporal = await testTemporal()
  const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
  const stage = await startStage({ networks, temporal, environment: variables })
  const { sql } = stage.api.database
  const connection = await NativeConnection.connect({ address: temporal.address })
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: 'core',
    workflowBundle: { codePath: await loadWorkflowBundle() },
    activities: {
      ...createControlChangeActivities({ sql, networks }),
      ...createSettlementActivities({ sql, gate: createWorkflowGate(temporal.client.workflow) }),
      ...heartbeating(createPeriodActivities({ sql, networks })),
      ...createWithdrawalActivities({ sql, networks, rebroadcastMs: 500 }),
    },
  })
  const running = worker.run()
  const [asker, first, second] = stage.people
  const controls: Controls = {
    stage,
    temporal,
    call: (method, path, body, person = asker) =>
      stage.api.call({
        method,
        path: `/api/v1${path}`,
        ...(body === undefined ? {} : { body }),
        key: person.key,
      }),
    decide: (path, person, decision = 'approve') =>
      sendDecision(stage.api, `/api/v1${path}`, person, decision),
    async approve(path) {
      for (const person of [first, second]) {
        const { status, json } = await controls.decide(path, person)
        if (status !== 201) throw new Error(JSON.stringify(json))
      }
    },
    async until(check) {
      for (let i = 0; i < 400; i++) {
        const found = await check()
        if (found !== false) return found
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Error('The check never passed')
    },
    async endCoolDown(kind, id) {
      await sql`UPDATE control_changes SET effective_at = now() WHERE id = ${id}`
      await temporal.client.workflow.getHandle(controlChangeId(kind, id)).signal('decide')
    },
    async result(kind, id) {
      await controls.until(async () => {
        const [row] = await sql<{ workflow_started_at: Date | null }[]>`
          SELECT workflow_started_at FROM control_changes WHERE id = ${id}`
        return row?.workflow_started_at ?? false
      })
      return temporal.client.workflow.getHandle(controlChangeId(kind, id)).result()
    },
    async close() {
      worker.shutdown()
      await running
      await stage.close()
      await connection.close()
      await temporal.close()
    },
  }
  return controls
}
