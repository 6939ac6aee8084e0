/** Creates the HTTP app of the platform: public API, protocol of the signers, operations and documentation. */

import { OpenAPIHono } from '@hono/zod-openapi'
import { masterKeysOf } from '../config/master-keys.js'
import { type ApiKeyCache, createApiKeyCache } from '../db/access/create-api-key-cache.js'
import { createLastUses } from '../db/access/create-last-uses.js'
import { createNonceClaims } from '../db/access/create-nonce-claims.js'
import { EXPORT_FILES_PATH, exportFileRoutes } from './books/export-files.js'
import { cashierRoutes, registerCashierAssets } from './cashier/cashier.js'
import { CASHIER_PATH } from './cashier/paths.js'
import { CHECKOUT_PATH, checkoutRoutes, liveCheckouts, registerCheckoutAssets } from './checkout/checkout.js'
import type { LiveCheckouts } from './checkout/live.js'
import type { ApiApp, ApiDependencies, ApiEnv } from './context.js'
import { handleError, validationError } from './http/map-error.js'
import { createRouteFacts } from './http/route-facts.js'
import { createMetrics, type Metrics } from './metrics/metrics.js'
import { admitOnce } from './middleware/admit-once.js'
import { allowIp } from './middleware/allow-ip.js'
import { announceUpload } from './middleware/announce-upload.js'
import { authenticate, identify } from './middleware/authenticate.js'
import { createAddressGuard } from './middleware/guard-addresses.js'
import { knownRoute, nothingHere, unknownRoute } from './middleware/known-route.js'
import { jsonBody, readBody } from './middleware/read-body.js'
import { refuseQuery } from './middleware/refuse-query.js'
import { requestContext } from './middleware/request-context.js'
import { spoolProvenUpload, spoolUnprovenUpload } from './middleware/spool-upload.js'
import { registerDocumentationRoutes } from './operations/documentation.js'
import { registerOperationRoutes } from './operations/operations.js'
import { registerSharedAssets } from './pages/assets.js'
import { registerRoutes } from './register-routes.js'
import { signerRoutes } from './signer/signer.js'

export interface AppOptions {
  /** Cache shared with `main.ts`, which listens for changes. Default: a new cache. */
  readonly apiKeys?: ApiKeyCache
  /** Metrics shared with their own port. Default: new metrics. */
  readonly metrics?: Metrics
  /** Live checkout pages, which `main.ts` ends when it stops. Default: new ones. */
  readonly live?: LiveCheckouts
}

/** Base path of merchants' requests. */
export const BASE_PATH = '/api/v1'
/** Base path of customers' signers, which share no authentication with merchants. */
export const SIGNER_PATH = '/signer/v1'

/**
 * Builds the app. It holds no state but caches, so any number of processes may serve it.
 *
 * @throws Error if `KEYTURN_TRUSTED_PROXIES` is not a list of CIDRs.
 */
export function createApp(dependencies: ApiDependencies, options: AppOptions = {}): ApiApp {
  const { sql, environment } = dependencies
  const windowMs = environment.KEYTURN_REQUEST_TIME_WINDOW
  const app = createRouter()
  app.onError(handleError)
  app.notFound((c) => handleError(unknownRoute(app, c.req.method, c.req.path) ?? nothingHere(), c))
  const metrics = options.metrics ?? createMetrics(sql, dependencies.networks)
  app.use(requestContext(dependencies))
  app.use(metrics.observe)

  const path = `${BASE_PATH}/*`
  app.use(path, knownRoute(app))
  const keys = options.apiKeys ?? createApiKeyCache(sql, masterKeysOf(environment))
  const guard = createAddressGuard({
    perMinute: environment.KEYTURN_ADDRESS_RATE,
    trustedProxies: environment.KEYTURN_TRUSTED_PROXIES,
  })
  app.use(path, identify({ keys, guard }))
  const factsOf = createRouteFacts(app)
  const limit = environment.KEYTURN_UPLOAD_LIMIT
  app.use(path, announceUpload(factsOf))
  app.use(path, spoolUnprovenUpload({ limit, trustedProxies: environment.KEYTURN_TRUSTED_PROXIES }))
  app.use(path, readBody(environment.KEYTURN_BODY_LIMIT))
  const lastUses = createLastUses(sql)
  app.use(path, authenticate({ windowMs, guard, lastUses }))
  app.use(path, admitOnce({ claim: createNonceClaims(sql), windowMs }))
  app.use(path, allowIp(environment.KEYTURN_TRUSTED_PROXIES))
  app.use(path, spoolProvenUpload({ limit }))
  app.use(path, refuseQuery(factsOf))
  app.use(path, jsonBody(factsOf))

  const merchantRoutes = createRouter()
  registerRoutes(merchantRoutes, { ...dependencies, lastUses })
  app.route(BASE_PATH, merchantRoutes)
  app.route(SIGNER_PATH, signerRoutes(dependencies, guard))
  registerSharedAssets(app)
  registerCheckoutAssets(app)
  app.route(CHECKOUT_PATH, checkoutRoutes(dependencies, options.live ?? liveCheckouts(dependencies)))
  app.route(EXPORT_FILES_PATH, exportFileRoutes(dependencies))
  registerCashierAssets(app)
  app.route(CASHIER_PATH, cashierRoutes(dependencies))
  registerOperationRoutes(app, dependencies, metrics)
  registerDocumentationRoutes(app)
  return app
}

/** Creates a router that turns the refusals of its schemas into `VALIDATION_FAILED`. */
export function createRouter(): ApiApp {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw validationError(result.error, result.target)
    },
  })
}
