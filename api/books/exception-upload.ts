/** Route that takes an edited export of exceptions. */

import { createRoute, z } from '@hono/zod-openapi'
import { applyLine, isStorable, UPLOAD_COLUMNS } from '../../db/books/exceptions/apply-upload.js'
import { lockKnown } from '../../db/books/exceptions/change-exception.js'
import { endExpiredProposals } from '../../db/books/exceptions/end-expired-proposals.js'
import { lockHeldAccounts } from '../../db/books/exceptions/lock-held-accounts.js'
import type { Transaction } from '../../db/connect.js'
import { repeatTransaction } from '../../db/repeat-transaction.js'
import { KeyturnError } from '../../domain/errors.js'
import { ExceptionUpload, ExceptionUploadQuery } from '../../wire/exception.js'
import type { ApiApp, ApiDependencies, Upload } from '../context.js'
import { answer, success } from '../http/answer.js'
import { securedFor } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { actorOf } from './actor-of.js'
import { type FileLine, readUploadedFile, refused } from './read-uploaded-file.js'
import { FINANCE_ONLY, requireFinance } from './require-finance.js'

/** Time that an upload may take, so that the same request does not start a second time. */
const LEASE_MS = 600_000
/** Rejected lines that an answer names. */
const MOST_REJECTED = 1_000
/** Lines of a file. Each takes some statements of the one transaction, for whose end others wait. */
const MOST_LINES = 10_000
/** Characters of a line, in which every comment of an exception must have room. */
const MOST_LENGTH = 4_194_304

const file = { schema: z.string().meta({ format: 'binary' }) }

const upload = createRoute({
  ...securedFor(LEASE_MS, 'reconciliation', 'read', 'approvals'),
  method: 'post',
  path: '/exceptions/upload',
  summary: 'Upload an edited export of exceptions, as CSV or NDJSON',
  description: `${FINANCE_ONLY} Reads \`owner\`, \`resolution\` (\`none\` alone), \`comment\` and \`root_cause\`. A line in which another field differs from what it is now is rejected; the others are applied together. A file has at most 10,000 lines. With \`dry_run=true\` nothing is applied.`,
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
    const named = await readNamed(sent)
    const isDry = c.req.valid('query').dry_run === 'true'
    try {
      const kept = await repeatTransaction(sql, async (tx) => {
        await requireFinance(c, tx)
        const result = await apply(tx, c.get('merchantId'), sent, named, actorOf(c), isDry)
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
  named: Named,
  actor: ReturnType<typeof actorOf>,
  isDry: boolean,
): Promise<ExceptionUpload> {
  await endExpiredProposals(tx, merchantId, named.resolved)
  const known = new Set((await lockKnown(tx, merchantId, [...named.ids])).map(({ id }) => id))
  await lockHeldAccounts(tx, merchantId, named.resolved)
  const seen = new Set<unknown>()
  const rejected: { line: number; reason: string }[] = []
  let rejectedCount = 0
  const reject = (line: number, reason: string) => {
    rejectedCount++
    if (rejected.length < MOST_REJECTED) rejected.push({ line, reason })
  }
  let changes = 0
  let unchanged = 0
  for await (const { line, fields } of linesOf(sent)) {
    if (typeof fields === 'string') {
      reject(line, fields)
      continue
    }
    if (seen.has(fields.id)) {
      reject(line, 'id: is in the file twice')
      continue
    }
    seen.add(fields.id)
    if (typeof fields.id === 'string' && fields.id !== '' && !known.has(fields.id)) {
      reject(line, 'id: there is no such exception')
      continue
    }
    try {
      if (await applyLine(tx, merchantId, sent.format, { line, fields }, actor)) changes++
      else unchanged++
    } catch (error) {
      if (!(error instanceof KeyturnError) || error.retryable) throw error
      reject(line, error.message)
    }
  }
  return { dry_run: isDry, changes, unchanged, rejected, rejected_count: rejectedCount }
}

/** Exceptions that a file names. */
interface Named {
  readonly ids: ReadonlySet<string>
  /** Ids of those that it resolves. */
  readonly resolved: readonly string[]
}

/**
 * Reads the ids before the transaction begins, because it locks what the file names until it ends.
 *
 * @throws KeyturnError `VALIDATION_FAILED` for a file with too many lines.
 */
async function readNamed(sent: Upload): Promise<Named> {
  const ids = new Set<string>()
  const resolved: string[] = []
  let count = 0
  for await (const { fields } of linesOf(sent)) {
    if (++count > MOST_LINES) throw refused(`The file has more than ${MOST_LINES} lines. Split it`)
    if (typeof fields !== 'string' && typeof fields.id === 'string' && isStorable(fields.id)) {
      ids.add(fields.id)
      if (fields.resolution === 'none') resolved.push(fields.id)
    }
  }
  return { ids, resolved }
}

async function* linesOf(sent: Upload): AsyncGenerator<FileLine> {
  const expected = { columns: UPLOAD_COLUMNS, required: ['id'], mostLength: MOST_LENGTH }
  for await (const lines of readUploadedFile(sent, expected)) yield* lines
}
