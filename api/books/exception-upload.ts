/** Route that takes an edited export of exceptions. */

import { createRoute, z } from '@hono/zod-openapi'
import { applyLine, UPLOAD_COLUMNS } from '../../db/books/exceptions/apply-upload.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { KeyturnError } from '../../domain/errors.js'
import { ExceptionUpload, ExceptionUploadQuery } from '../../wire/exception.js'
import type { ApiApp, ApiDependencies, Upload } from '../context.js'
import { answer, success } from '../http/answer.js'
import { securedFor } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { actorOf } from './actor-of.js'
import { readUploadedFile } from './read-uploaded-file.js'
import { FINANCE_ONLY, requireFinance } from './require-finance.js'

/** Time that an upload may take, so that the same request does not start a second time. */
const LEASE_MS = 600_000
/** Rejected lines that an answer names. */
const MOST_REJECTED = 1_000

const file = { schema: z.string().meta({ format: 'binary' }) }

const upload = createRoute({
  ...securedFor(LEASE_MS, 'reconciliation', 'read', 'approvals'),
  method: 'post',
  path: '/exceptions/upload',
  summary: 'Upload an edited export of exceptions, as CSV or NDJSON',
  description: `${FINANCE_ONLY} Reads \`owner\`, \`resolution\` (\`none\` alone), \`comment\` and \`root_cause\`. A line in which another field differs from what it is now is rejected; the others are applied together. With \`dry_run=true\` nothing is applied.`,
  tags: ['Exceptions'],
  request: {
    query: ExceptionUploadQuery,
    body: { required: true, content: { 'text/csv': file, 'application/x-ndjson': file } },
  },
  responses: { 200: answer(ExceptionUpload, 'What changed, or would change') },
})

/** Undoes a dry run. */
class DryRun extends Error {
  constructor(readonly result: ExceptionUpload) {
    super('a dry run changes nothing')
  }
}

/** Registers `/exceptions/upload`. */
export function registerExceptionUploadRoute(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(upload, async (c) => {
    const sent = c.get('upload')
    if (!sent) throw new Error('The upload was not taken to the disk')
    const isDry = c.req.valid('query').dry_run === 'true'
    try {
      const kept = await inTransaction(sql, async (tx) => {
        await requireFinance(c, tx)
        const result = await apply(tx, c.get('merchantId'), sent, actorOf(c), isDry)
        if (isDry) throw new DryRun(result)
        return keepAnswer(c, tx, 200, success(result))
      })
      return c.json(kept, 200)
    } catch (error) {
      if (error instanceof DryRun) return c.json(success(error.result), 200)
      throw error
    }
  })
}

async function apply(
  tx: Transaction,
  merchantId: string,
  sent: Upload,
  actor: ReturnType<typeof actorOf>,
  isDry: boolean,
): Promise<ExceptionUpload> {
  const seen = new Set<unknown>()
  const rejected: { line: number; reason: string }[] = []
  const reject = (line: number, reason: string) => {
    if (rejected.length < MOST_REJECTED) rejected.push({ line, reason })
  }
  let changes = 0
  let unchanged = 0
  for await (const lines of readUploadedFile(sent, { columns: UPLOAD_COLUMNS, required: ['id'] })) {
    for (const { line, fields } of lines) {
      if (typeof fields === 'string') {
        reject(line, fields)
        continue
      }
      if (seen.has(fields.id)) {
        reject(line, 'id: is in the file twice')
        continue
      }
      seen.add(fields.id)
      try {
        if (await applyLine(tx, merchantId, sent.format, { line, fields }, actor)) changes++
        else unchanged++
      } catch (error) {
        if (!(error instanceof KeyturnError) || error.retryable) throw error
        reject(line, error.message)
      }
    }
  }
  return { dry_run: isDry, changes, unchanged, rejected }
}
