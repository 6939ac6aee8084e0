/**
 * Starts a platform of deposits around chain models, with real PostgreSQL, real Temporal and the product's
 * own workers.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { temporal as proto } from '@temporalio/proto'
import { NativeConnection } from '@temporalio/worker'
import { afterAll, beforeAll, expect } from 'vitest'
import type { ChainAdapter } from '../../chains/adapter.js'
import { loadEnvironment } from '../../config/load-environment.js'
import type { Sql } from '../../db/connect.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import { depositId } from '../../temporal/ids.js'
import { createWorkflowGate, type WorkflowGate } from '../../temporal/workflow-gate.js'
import { createWorkers } from '../../workers/create-workers.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

export interface DepositPlatform {
  readonly sql: Sql
  readonly temporal: TestTemporal
  readonly gate: WorkflowGate
  /** Starts the workers that one process of these roles has. */
  startWorkers(
    roles: readonly string[],
    adapters: readonly ChainAdapter[],
    screeningUrl?: string,
  ): Promise<RunningWorkers>
  /** Stops all workers that the test started. */
  stopAll(): Promise<void>
  /** Returns the history of a deposit's latest run. */
  history(network: string, txid: string, index?: number): Promise<proto.api.history.v1.IHistory>
}

export interface RunningWorkers {
  /** Stops the workers as SIGTERM does. */
  stop(): Promise<void>
}

/** Secret that signs requests to the screening service. */
export const SCREENING_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
export const quiet = { info() {}, warn() {}, error() {} }

/**
 * Registers set-up and tear-down of a test file. Its tests can use the platform; code outside of tests
 * cannot.
 */
export function depositPlatform(networks: Networks): DepositPlatform {
  let database: TestDatabase
  let temporal: TestTemporal
  let connection: NativeConnection
  const running = new Set<RunningWorkers>()
  beforeAll(async () => {
    ;[database, temporal] = await Promise.all([freshDatabase({ max: 20 }), testTemporal()])
    connection = await NativeConnection.connect({ address: temporal.address })
  })
  afterAll(async () => {
    await Promise.all([...running].map((each) => each.stop()))
    await connection?.close()
    await temporal?.close()
    await database?.drop()
  })
  return {
    get sql() {
      return database.sql
    },
    get temporal() {
      return temporal
    },
    get gate() {
      return createWorkflowGate(temporal.client.workflow)
    },
    async startWorkers(roles, adapters, screeningUrl) {
      const stopping = new AbortController()
      const environment = loadEnvironment({
        KEYTURN_DATABASE_URL: database.url,
        KEYTURN_MASTER_KEY: '00'.repeat(32),
        KEYTURN_TEMPORAL_NAMESPACE: temporal.namespace,
        KEYTURN_SWEEP_INTERVAL: '10ms',
        ...(screeningUrl === undefined
          ? {}
          : {
              KEYTURN_SCREENING_URL: screeningUrl,
              KEYTURN_SCREENING_SECRET: SCREENING_SECRET,
              KEYTURN_SCREENING_ALLOW_CIDRS: '127.0.0.0/8',
            }),
      })
      const { workers, close } = await createWorkers(
        {
          environment,
          networks,
          sql: database.sql,
          adapters: new Map(adapters.map((adapter) => [adapter.network.name, adapter])),
          connection,
          scheduleClient: temporal.client.schedule,
          workflowClient: temporal.client.workflow,
          log: quiet,
          bundle: await loadWorkflowBundle(),
          stopping: stopping.signal,
        },
        roles,
      )
      const runs = Promise.all(workers.map((worker) => worker.run()))
      const handle = {
        async stop() {
          if (!running.delete(handle)) return
          stopping.abort()
          for (const worker of workers) worker.shutdown()
          await runs
          await close()
        },
      }
      running.add(handle)
      return handle
    },
    async stopAll() {
      await Promise.all([...running].map((each) => each.stop()))
    },
    async history(network, txid, index = 0) {
      return temporal.client.workflow.getHandle(depositId(network, txid, index)).fetchHistory()
    },
  }
}

/** Returns a network with a short poll interval, so that tests are quick. */
export const polledFast = <N extends Network>(network: N): N => ({ ...network, pollIntervalMs: 40 })

/** Repeats a check until it passes. @throws The last error of the check, after `limitMs`. */
export async function eventually(check: () => Promise<void>, limitMs = 30_000): Promise<void> {
  const deadline = Date.now() + limitMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(25)
    }
  }
}

/** Waits for the status of a deposit. */
export async function untilStatus(sql: Sql, txid: string, status: string): Promise<void> {
  await eventually(async () => {
    const rows = await sql<{ status: string }[]>`SELECT status FROM deposits WHERE txid = ${txid}`
    expect(rows.map((row) => row.status)).toEqual([status])
  })
}
