/** Makes a Temporal namespace that belongs to one test file, in the server that the test run shares. */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import { msToTs } from '@temporalio/common/lib/time.js'
import { z } from 'zod'
import { SEARCH_ATTRIBUTE } from '../../temporal/search-attributes.js'
import { sharedPart } from './shared-part.js'

export interface TestTemporal {
  /** `127.0.0.1:<port>` */
  readonly address: string
  /**
   * Namespace of this test file alone, so that fixed task queues and workflow ids of several files do not
   * meet.
   */
  readonly namespace: string
  readonly client: Client
  readonly connection: Connection
  /** Address of the web UI. */
  readonly ui: string
  close(): Promise<void>
}

/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2

/** Makes a namespace with our search attributes. This takes a moment, so a test file makes one. */
export async function testTemporal(): Promise<TestTemporal> {
  const { address, ui } = z
    .object({ address: z.string(), ui: z.string() })
    .parse(await sharedPart('temporal'))
  const namespace = `test-${randomBytes(6).toString('hex')}`
  const connection = await Connection.connect({ address })
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  })
  const names = Object.values(SEARCH_ATTRIBUTE).map((attribute) => attribute.name)
  // The server's caches hold a new namespace only a moment after it was made.
  await eventually(() =>
    connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(names.map((name) => [name, KEYWORD])),
    }),
  )
  await eventually(async () => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace })
    if (!names.every((name) => customAttributes?.[name] === KEYWORD)) throw new Error('not yet')
  })
  const client = new Client({ connection, namespace })
  return { address, namespace, connection, client, ui, close: () => connection.close() }
}

async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      await attempt()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(50)
    }
  }
}
