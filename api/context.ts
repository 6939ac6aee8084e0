/** What every part of the API shares: its dependencies, and what the middleware leaves for the routes. */

import type { OpenAPIHono } from '@hono/zod-openapi'
import type { ScheduleClient, WorkflowClient } from '@temporalio/client'
import type { Logger } from 'pino'
import type { Environment } from '../config/load-environment.js'
import type { ApiKey } from '../db/access/find-api-key.js'
import type { Sql } from '../db/connect.js'
import type { Networks } from '../domain/chain/network.js'
import type { Geography } from './sources/open-geography.js'

/** Injected into the app and every route. */
export interface ApiDependencies {
  readonly sql: Sql
  readonly networks: Networks
  readonly environment: Environment
  /** Null where no Temporal is configured (tests); a server that is down throws on use, see `start-soon.ts`. */
  readonly temporal: { readonly workflow: WorkflowClient; readonly schedule?: ScheduleClient } | null
  readonly log: Logger
  /** Absent where no GeoIP database is configured. */
  readonly geography?: Geography | null
}

/** What a key may do; a key has a set of them, none implies another. */
export const SCOPES = ['read', 'payments', 'withdrawals', 'approvals', 'webhooks', 'policy', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** `c.get(…)` in a route under `/api/v1`: all are set once the request is authenticated. */
export interface ApiVariables {
  /** `req_…`, also in the answer's `X-Request-Id`. */
  requestId: string
  /** The key that the request names; whether it holds its secret is known after `authenticate`. */
  apiKey: ApiKey
  merchantId: string
  apiKeyId: string
  /** The person who uses the key, where there is one. */
  personId: string | null
  /** For the audit log: `person:<id>`, or `api-key:<id>` without a person. */
  actor: string
  /** Who asks, for intents: the person's id or, without one, the API key's. Never counts as an approver. */
  initiator: string
  scopes: readonly string[]
  ipAllowlist: readonly string[]
  /** Of a mutating request: the peer's or, behind trusted proxies, the client's. */
  clientIp: string | null
  rateLimitPerMinute: number
  /** The body as sent; empty where there is none. */
  rawBody: Uint8Array
  /** Path with query as sent: what was signed. */
  sentPath: string
  /** Set on a POST with an Idempotency-Key; see `keepAnswer`. */
  idempotentRequest: IdempotentRequest | undefined
  /** Under `/signer/v1`: the request is signed by a signer that is enrolled, or is enrolled by it. */
  signerKnown: true | undefined
  dependencies: ApiDependencies
}

/** The part of Node's request that is needed; tests pass it as the third argument of `app.request`. */
export interface ApiBindings {
  incoming?: { url?: string | undefined; socket?: { remoteAddress?: string | undefined } }
}

export interface ApiEnv {
  Variables: ApiVariables
  Bindings: ApiBindings
}

/** The app on which routes are registered. */
export type ApiApp = OpenAPIHono<ApiEnv>

/** What a POST with an Idempotency-Key carries through its handler. */
export interface IdempotentRequest {
  readonly key: string
  readonly owner: string
  /** True once the answer was stored with the effect, in the handler's transaction. */
  kept: boolean
}
