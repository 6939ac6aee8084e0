/** Starts all that a test of webhook workflows needs: Temporal, a database, and the platform's worker. */

import { NativeConnection } from '@temporalio/worker'
import { freshDatabase, type TestDatabase } from '../support/database.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'
import {
  startWebhookPlatform,
  type WebhookPlatform,
  type WebhookPlatformOptions,
} from './webhook-platform.js'

export interface WebhookStage {
  readonly temporal: TestTemporal
  readonly connection: NativeConnection
  readonly database: TestDatabase
  readonly platform: WebhookPlatform
  close(): Promise<void>
}

/** Starts the stage. `close` ends it. */
export async function startWebhookStage(
  options: Pick<WebhookPlatformOptions, 'timeoutMs' | 'retryIntervalMs'> = {},
): Promise<WebhookStage> {
  const temporal = await testTemporal()
  const connection = await NativeConnection.connect({ address: temporal.address })
  const database = await freshDatabase()
  const platform = await startWebhookPlatform({
    sql: database.sql,
    client: temporal.client,
    connection,
    namespace: temporal.namespace,
    ...options,
  })
  return {
    temporal,
    connection,
    database,
    platform,
    async close() {
      await platform.close()
      await database.drop()
      await connection.close()
      await temporal.close()
    },
  }
}
