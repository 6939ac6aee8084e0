/** Routes of the audit log: list it, and verify its chain. */

import { createRoute } from '@hono/zod-openapi'
import { auditView, listAudit } from '../../db/audit/list-audit.js'
import { verifyAudit } from '../../db/audit/verify-audit.js'
import { KeyturnError } from '../../domain/errors.js'
import { AuditEntry, AuditFilter, AuditVerification } from '../../wire/audit-entry.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/audit-log',
  summary: 'Entries, newest first',
  tags: ['Audit'],
  request: {
    query: AuditFilter,
  },
  responses: { 200: listAnswer(AuditEntry) },
})

const verify = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/audit-log/verify',
  summary: 'Verify the whole chain',
  tags: ['Audit'],
  responses: {
    200: answer(AuditVerification),
  },
})

/** Registers `/audit-log`. */
export function registerAuditLogRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const { page, limit, cursor, ...filter } = c.req.valid('query')
    const query = { page, limit, cursor }
    const slice = toSlice(query)
    if (slice.before !== null && !/^\d{1,18}$/.test(slice.before)) {
      throw new KeyturnError('VALIDATION_FAILED', 'Use the next_cursor of the previous page as cursor', {
        details: { in: 'query', fields: [{ path: 'cursor', reason: 'not a cursor of this list' }] },
      })
    }
    const rows = await listAudit(sql, c.get('merchantId'), filter, slice)
    return c.json(successPage(toPage(query, rows, auditView, (row) => row.sequence.toString())), 200)
  })

  app.openapi(verify, async (c) => {
    return c.json(success(await verifyAudit(sql, c.get('merchantId'))), 200)
  })
}
