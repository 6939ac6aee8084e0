/** A merchant's controls with everything around them: API, workflows, three people. */

import { sign } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { NativeConnection, Worker } from '@temporalio/worker'
import { createControlChangeActivities } from '../../activities/controls/control-change.js'
import { createWithdrawalActivities } from '../../activities/payouts/withdrawal.js'
import { approvalMessage, type Decision } from '../../domain/controls/approval.js'
import { controlChangeId } from '../../temporal/ids.js'
import type { Answer } from '../api/test-api.js'
import {
  startWithdrawals,
  type TestPerson,
  type TestWithdrawals,
  testNetworks,
} from '../payouts/withdrawals/withdrawal-stage.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

export interface ControlRoom {
  readonly stage: TestWithdrawals
  readonly temporal: TestTemporal
  /** With the first person's key. */
  call(method: string, path: string, body?: unknown, person?: TestPerson): Promise<Answer>
  /** Signs the intent under a path and sends the decision. */
  decide(path: string, person: TestPerson, decision?: Decision): Promise<Answer>
  /** Both people who did not ask. */
  approve(path: string): Promise<void>
  /** Looks until there is something, on the real clock. */
  until<T>(look: () => Promise<T | false>): Promise<T>
  /** As if the cool-down of a change were over now. */
  coolDownIsOver(kind: 'policy' | 'whitelist', id: string): Promise<void>
  result(kind: 'policy' | 'whitelist', id: string): Promise<unknown>
  close(): Promise<void>
}

/** Starts it, with the cool-downs of the defaults. */
export async function startControlRoom(variables: Record<string, string> = {}): Promise<ControlRoom> {
  const temporal = await testTemporal()
  const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
  const stage = await startWithdrawals({ networks, temporal, environment: variables })
  const { sql } = stage.api.database
  const connection = await NativeConnection.connect({ address: temporal.address })
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: 'core',
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    activities: {
      ...createControlChangeActivities({ sql, networks }),
      ...createWithdrawalActivities({ sql, networks, rebroadcastMs: 500 }),
    },
  })
  const running = worker.run()
  const [asker, first, second] = stage.people
  const room: ControlRoom = {
    stage,
    temporal,
    call: (method, path, body, person = asker) =>
      stage.api.call({
        method,
        path: `/api/v1${path}`,
        ...(body === undefined ? {} : { body }),
        key: person.key,
      }),
    async decide(path, person, decision = 'approve') {
      const { json } = await room.call('GET', `${path}/intent`)
      const signed = {
        decision,
        intent_hash: json.data?.intent_hash ?? '0'.repeat(64),
        signed_at: new Date().toISOString(),
        approver_id: person.approverId,
      }
      const { approver_id: _, ...body } = signed
      const signature = sign(null, Buffer.from(approvalMessage(signed)), person.privateKey).toString('base64')
      return room.call('POST', `${path}/approvals`, { ...body, signature }, person)
    },
    async approve(path) {
      for (const person of [first, second]) {
        const { status, json } = await room.decide(path, person)
        if (status !== 201) throw new Error(JSON.stringify(json))
      }
    },
    async until(look) {
      for (let i = 0; i < 400; i++) {
        const found = await look()
        if (found !== false) return found
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Error('It did not come to be')
    },
    async coolDownIsOver(kind, id) {
      await sql`UPDATE control_changes SET effective_at = now() WHERE id = ${id}`
      await temporal.client.workflow.getHandle(controlChangeId(kind, id)).signal('decide')
    },
    async result(kind, id) {
      await room.until(async () => {
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
  return room
}
