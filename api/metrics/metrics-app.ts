/** Creates the app of the metrics' own port (`KEYTURN_METRICS_HOST`), which serves `/metrics` only, without a key. */

import { Hono } from 'hono'
import type { ApiEnv } from '../context.js'
import { handleError } from '../http/map-error.js'
import { nothingHere } from '../middleware/known-route.js'
import type { Metrics } from './metrics.js'

/** Creates the app that serves the metrics of an API process. */
export function createMetricsApp(metrics: Pick<Metrics, 'expose'>): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>()
  app.onError(handleError)
  app.notFound((c) => handleError(nothingHere(), c))
  app.get('/metrics', async (c) => {
    const { contentType, body } = await metrics.expose()
    return c.text(body, 200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' })
  })
  return app
}
