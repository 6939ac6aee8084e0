/** Routes of the merchant's orders: the lifecycle mapping, and uploads of orders. */

import { createRoute, z } from '@hono/zod-openapi'
import { mappingView, readMapping, storeMapping } from '../../db/books/orders/lifecycle-mapping.js'
import { beginUpload, endUpload, type PlacedOrder, storeOrders } from '../../db/books/orders/store-orders.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { ORDER_COLUMNS, readOrderLine } from '../../domain/books/order-line.js'
import { KeyturnError } from '../../domain/errors.js'
import { parseDuration } from '../../networks/parse-duration.js'
import {
  LifecycleMapping,
  LifecycleMappingUpdate,
  OrderUpload,
  type RejectedLine,
} from '../../wire/lifecycle.js'
import type { ApiApp, ApiDependencies, Upload } from '../context.js'
import { answer, success } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { secured, securedFor } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { readUploadedFile } from './read-uploaded-file.js'

const tags = ['Reconciliation']
/** Columns of a file of orders. Two of them may be missing. */
const FILE_COLUMNS = {
  columns: ORDER_COLUMNS,
  required: ORDER_COLUMNS.filter((name) => name !== 'payment_id' && name !== 'user_reference'),
}
/** Lines of one INSERT. */
const LINES = 5_000
/** Rejected lines that an answer names. */
const MOST_REJECTED = 1_000
/** Time that an upload may take, so that the same request does not start a second time. */
const LEASE_MS = 900_000

const put = createRoute({
  ...secured('reconciliation'),
  method: 'put',
  path: '/lifecycle-mapping',
  summary: 'Say what the states of your orders ask of their payments. Stores a new version',
  tags,
  request: {
    body: { required: true, content: { 'application/json': { schema: LifecycleMappingUpdate } } },
  },
  responses: { 200: answer(LifecycleMapping, 'The version that holds now') },
})

const get = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/lifecycle-mapping',
  summary: 'The lifecycle mapping that holds',
  tags,
  responses: { 200: answer(LifecycleMapping) },
})

const getVersion = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/lifecycle-mapping/{version}',
  summary: 'A version of the lifecycle mapping',
  tags,
  request: { params: z.object({ version: z.string() }) },
  responses: { 200: answer(LifecycleMapping) },
})

const file = { schema: z.string().meta({ format: 'binary' }) }

const upload = createRoute({
  ...securedFor(LEASE_MS, 'reconciliation'),
  method: 'post',
  path: '/reconciliation/orders',
  summary: 'Upload orders as CSV or NDJSON, to compare the books with them',
  description:
    'Columns: `order_id`, `network`, `coin`, `amount`, `state` (a gate of the mapping), `at`, and optionally `payment_id` and `user_reference`. The same `order_id` and `payment_id` replaces an earlier line; twice in one file is rejected. All other lines of a file are stored, or none when the answer is an error. Announce the SHA-256 of the file in `X-Content-Sha256`, so that its signature is verified before it is read.',
  tags,
  request: { body: { required: true, content: { 'text/csv': file, 'application/x-ndjson': file } } },
  responses: { 201: answer(OrderUpload, 'Stored') },
})

/** Registers `/lifecycle-mapping` and `/reconciliation/orders`. */
export function registerOrderRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql } = dependencies

  app.openapi(put, async (c) => {
    const { gates, orders } = c.req.valid('json')
    const mapping = {
      gates: gates.map((gate) => ({ ...gate, stuck_ms: parseDuration(gate.stuck_after) })),
      orders: orders ?? null,
    }
    const by = { merchantId: c.get('merchantId'), createdBy: c.get('initiator'), actor: c.get('actor') }
    const stored = await inTransaction(sql, (tx) => storeMapping(tx, by, mapping))
    return c.json(success(mappingView(stored)), 200)
  })

  app.openapi(get, async (c) => {
    const mapping = await readMapping(sql, c.get('merchantId'))
    if (!mapping) throw notFound('lifecycle mapping', 'the newest')
    return c.json(success(mappingView(mapping)), 200)
  })

  app.openapi(getVersion, async (c) => {
    const { version } = c.req.valid('param')
    const mapping = /^\d{1,9}$/.test(version)
      ? await readMapping(sql, c.get('merchantId'), Number(version))
      : null
    if (!mapping) throw notFound('version of the lifecycle mapping', version)
    return c.json(success(mappingView(mapping)), 200)
  })

  app.openapi(upload, async (c) => {
    const given = c.get('upload')
    if (!given) throw new KeyturnError('VALIDATION_FAILED', 'Send the file as the body')
    const merchantId = c.get('merchantId')
    const kept = await inTransaction(sql, async (tx) => {
      const stored = await storeFile(tx, dependencies, merchantId, given)
      const by = { createdBy: c.get('initiator'), actor: c.get('actor') }
      await endUpload(tx, {
        ...by,
        merchantId,
        id: stored.id,
        accepted: stored.accepted,
        rejected: stored.rejected_count,
      })
      return keepAnswer(c, tx, 201, success(stored))
    })
    return c.json(kept, 201)
  })
}

/** Stores the lines of a file, some at a time. */
async function storeFile(
  tx: Transaction,
  { networks }: ApiDependencies,
  merchantId: string,
  given: Upload,
): Promise<OrderUpload> {
  const uploadId = await beginUpload(tx, merchantId)
  const mapping = await readMapping(tx, merchantId)
  const gates = new Set(mapping?.gates.map(({ gate }) => gate))
  const now = new Date()
  const rejected: RejectedLine[] = []
  let accepted = 0
  let rejectedCount = 0
  let waiting: PlacedOrder[] = []
  const reject = (line: number, reason: string): void => {
    rejectedCount++
    if (rejected.length < MOST_REJECTED) rejected.push({ line, reason })
  }
  const store = async (): Promise<void> => {
    const doubled = await storeOrders(tx, { merchantId, uploadId }, waiting)
    accepted += waiting.length - doubled.length
    for (const { line } of doubled)
      reject(line, 'order_id and payment_id stand in an earlier line of the file')
    waiting = []
  }
  for await (const lines of readUploadedFile(given, FILE_COLUMNS)) {
    for (const { line, fields } of lines) {
      const order = typeof fields === 'string' ? fields : readOrderLine(fields, networks, gates, now)
      if (typeof order === 'string') reject(line, order)
      else waiting.push({ line, order })
    }
    if (waiting.length >= LINES) await store()
  }
  if (waiting.length > 0) await store()
  return {
    id: uploadId,
    accepted,
    rejected: rejected.toSorted((a, b) => a.line - b.line),
    rejected_count: rejectedCount,
  }
}
