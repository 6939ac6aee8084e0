/** Every resource under `/api/v1`: a route file exports `registerXRoutes(app, dependencies)` and has its line here. */

import type { ApiApp, ApiDependencies } from './context.js'
import { registerAddressRoutes } from './routes/addresses.js'

/** Registers the routes; paths are relative to `/api/v1`. */
export function registerRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  registerAddressRoutes(app, dependencies)
}
