/** Starts a Temporal server for a bench, in memory so that its disk does not blur the comparison. */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common/lib/time.js'
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker'
import { freePort } from '../local/parts/free-port.js'
import { startTemporal } from '../local/parts/temporal.js'
import { registerSearchAttributes } from '../workers/prepare-namespace.js'
import type { BenchContext } from './context.js'

export interface BenchTemporal {
  /** Connection for the workers of both sides. */
  readonly connection: NativeConnection
  /**
   * Creates a namespace with our search attributes. Equal queues and ids in two namespaces do not collide.
   */
  namespace(name: string): Promise<Client>
}

const NAMESPACE_TIMEOUT_MS = 30_000

/** Whether the SDK's runtime is installed. A process has one. */
let installed = false

/** Starts the server, which ends with the bench. */
export async function startBenchTemporal(context: BenchContext): Promise<BenchTemporal> {
  if (!installed) Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') })
  installed = true
  const temporal = await startTemporal(
    {
      port: await freePort(),
      uiPort: null,
      databaseFile: null,
      logFile: join(context.directory, 'temporal.log'),
    },
    context.progress,
  )
  context.onEnd(() => temporal.stop())
  const connection = await NativeConnection.connect({ address: temporal.address })
  context.onEnd(() => connection.close())
  return {
    connection,
    async namespace(name) {
      const clientConnection = await Connection.connect({ address: temporal.address })
      context.onEnd(() => clientConnection.close())
      await clientConnection.workflowService.registerNamespace({
        namespace: name,
        workflowExecutionRetentionPeriod: msToTs('1 day'),
      })
      // The server's caches know a new namespace only a moment after it was created.
      const deadline = Date.now() + NAMESPACE_TIMEOUT_MS
      for (;;) {
        try {
          await registerSearchAttributes(clientConnection, name)
          break
        } catch (error) {
          if (Date.now() > deadline) throw error
          await sleep(100)
        }
      }
      return new Client({ connection: clientConnection, namespace: name })
    },
  }
}

/**
 * Waits until a namespace has at most `expected` open workflows, so that no leftover disturbs the next round.
 */
export async function untilClosed(client: Client, expected: number): Promise<void> {
  for (;;) {
    const { count } = await client.workflow.count(`ExecutionStatus = 'Running'`)
    if (count <= expected) return
    await sleep(50)
  }
}
