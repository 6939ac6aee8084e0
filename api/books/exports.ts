/** Route of streamed exports. */

import { createRoute, z } from '@hono/zod-openapi'
import {
  EXPORT_DATASETS,
  EXPORT_MEDIA_TYPE,
  type ExportDataset,
  exportFileName,
} from '../../domain/books/export-dataset.js'
import { KeyturnError } from '../../domain/errors.js'
import { ExportQuery } from '../../wire/export.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { secured } from '../http/secured.js'
import { createExportStreams } from './export-streams.js'
import { readExportFilters } from './read-export-filters.js'

const stream = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/exports/{dataset}',
  summary: 'Rows of a dataset as CSV or NDJSON, streamed from one snapshot, oldest first',
  description:
    'The filters are those of the list of the dataset. The window holds `from_date` and ends before `to_date`. A stream that ends without its last chunk was cut: discard what came. 429 `RATE_LIMITED` when the merchant streams too many at once.',
  tags: ['Exports'],
  request: {
    params: z.object({ dataset: z.string().meta({ description: `One of ${EXPORT_DATASETS.join(', ')}.` }) }),
    query: ExportQuery,
  },
  responses: {
    200: {
      description: 'The rows',
      content: {
        'text/csv': { schema: z.string() },
        'application/x-ndjson': { schema: z.string() },
      },
    },
  },
})

/** Registers `/exports`. */
export function registerExportRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const streams = createExportStreams(dependencies)

  app.openapi(stream, async (c) => {
    const dataset = toDataset(c.req.valid('param').dataset)
    const { format, ...given } = c.req.valid('query')
    const filters = readExportFilters(dataset, given, 'query', dependencies.networks)
    const headers = {
      'Content-Type': EXPORT_MEDIA_TYPE[format],
      'Content-Disposition': `attachment; filename="${exportFileName(dataset, format)}"`,
      'Cache-Control': 'no-store, no-transform',
      // nginx and its kin would collect the rows otherwise.
      'X-Accel-Buffering': 'no',
    }
    if (c.req.raw.method === 'HEAD') return c.body(null, 200, headers) as never
    const request = { merchantId: c.get('merchantId'), dataset, format, filters }
    const body = await streams.open(request, {
      cut() {
        c.env.outgoing?.destroy()
        return c.env.outgoing !== undefined
      },
      gone: c.req.raw.signal,
    })
    return c.body(body, 200, headers) as never
  })
}

function toDataset(name: string): ExportDataset {
  const found = EXPORT_DATASETS.find((each) => each === name)
  if (found === undefined) {
    throw new KeyturnError(
      'NOT_FOUND',
      `There is no such dataset; use one of ${EXPORT_DATASETS.join(', ')}`,
      {
        details: { dataset: name.slice(0, 100) },
      },
    )
  }
  return found
}
