/** Routes of export jobs: create one, list them, read one. */

import { createRoute, z } from '@hono/zod-openapi'
import { publicUrlOf } from '../../config/public-url.js'
import { inTransaction } from '../../db/connect.js'
import { createExportJob } from '../../db/exports/jobs/create-job.js'
import { findExportJob, listExportJobs } from '../../db/exports/jobs/find-jobs.js'
import { type ExportJobRow, exportJobView } from '../../db/exports/jobs/job-row.js'
import { signExportLink } from '../../vault/export-link.js'
import { ExportJob, NewExport } from '../../wire/export.js'
import { Paging } from '../../wire/paging.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startExportSoon } from '../start/start-export-soon.js'
import { EXPORT_FILES_PATH } from './export-files.js'
import { readExportFilters } from './read-export-filters.js'

const create = createRoute({
  ...secured('read'),
  method: 'post',
  path: '/exports',
  summary: 'Write an export to a file, which can be downloaded by a link when the job is done',
  description: '429 `RATE_LIMITED` while too many jobs of the merchant have not ended.',
  tags: ['Exports'],
  request: { body: { required: true, content: { 'application/json': { schema: NewExport } } } },
  responses: { 201: answer(ExportJob, 'Queued') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/exports/jobs',
  summary: 'Export jobs, newest first',
  tags: ['Exports'],
  request: { query: Paging },
  responses: { 200: listAnswer(ExportJob) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/exports/jobs/{id}',
  summary: 'One export job, with a fresh link to its file',
  tags: ['Exports'],
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: answer(ExportJob) },
})

/** Registers the routes of jobs under `/exports`. */
export function registerExportJobRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies
  const view = (row: ExportJobRow) =>
    exportJobView(row, {
      retentionMs: environment.KEYTURN_EXPORT_RETENTION,
      linkTo: (id) => {
        const expiresAt = new Date(Date.now() + environment.KEYTURN_EXPORT_LINK)
        const token = signExportLink(environment.KEYTURN_MASTER_KEY, id, expiresAt)
        return { url: `${publicUrlOf(environment)}${EXPORT_FILES_PATH}/${token}`, expiresAt }
      },
    })

  app.openapi(create, async (c) => {
    const { dataset, format, filters: given } = c.req.valid('json')
    const filters = readExportFilters(dataset, given, 'json', networks)
    const done = await inTransaction(sql, async (tx) => {
      const row = await createExportJob(tx, {
        merchantId: c.get('merchantId'),
        dataset,
        format,
        filters,
        createdBy: c.get('initiator'),
        actor: c.get('actor'),
        mostOpen: environment.KEYTURN_EXPORT_JOBS,
      })
      return { row, kept: await keepAnswer(c, tx, 201, success(view(row))) }
    })
    startExportSoon(dependencies, done.row)
    return c.json(done.kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listExportJobs(sql, c.get('merchantId'), toSlice(query))
    return c.json(successPage(toPage(query, rows, view, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const row = await findExportJob(sql, c.get('merchantId'), id)
    if (!row) throw notFound('export job', id)
    return c.json(success(view(row)), 200)
  })
}
