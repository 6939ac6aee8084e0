/** Declares what every part of the API shares: its dependencies, and what the middleware sets for the routes. */

import type { FileHandle } from 'node:fs/promises'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { ScheduleClient, WorkflowClient } from '@temporalio/client'
import type { Logger } from 'pino'
import type { Environment } from '../config/load-environment.js'
import type { LastUses } from '../db/access/create-last-uses.js'
import type { ApiKey } from '../db/access/find-api-key.js'
import type { Sql } from '../db/connect.js'
import type { Networks } from '../domain/chain/network.js'
import { MERCHANT_SCOPES } from '../wire/api-key.js'
import type { Geography } from './sources/open-geography.js'

/** Dependencies of the app and of every route. */
export interface ApiDependencies {
  readonly sql: Sql
  readonly networks: Networks
  readonly environment: Environment
  /**
   * Clients of Temporal. `null` in tests without Temporal. They throw while the server is down; see
   * `start-soon.ts`.
   */
  readonly temporal: { readonly workflow: WorkflowClient; readonly schedule?: ScheduleClient } | null
  readonly log: Logger
  /** Notes of when keys were used. `createApp` makes them. */
  readonly lastUses?: LastUses
  /** GeoIP database. Absent if none is configured. */
  readonly geography?: Geography | null
}

/** Scopes of API keys. A key has a set of them, and none implies another. */
export const SCOPES = [
  ...MERCHANT_SCOPES,
  // The platform's operator, whose keys have no other scope.
  'operator',
] as const
export type Scope = (typeof SCOPES)[number]

/** Values of `c.get(…)` in a route under `/api/v1`. All are set once the request is authenticated. */
export interface ApiVariables {
  /** Id of the request (`req_…`), also in the answer's `X-Request-Id`. */
  requestId: string
  /** Key that the request names. `authenticate` proves that the sender holds its secret. */
  apiKey: ApiKey
  merchantId: string
  apiKeyId: string
  /** Person who uses the key. `null` if the key belongs to no person. */
  personId: string | null
  /** Actor for the audit log: `person:<id>`, or `api-key:<id>` without a person. */
  actor: string
  /** Initiator for intents: the id of the person or, without one, of the API key. It never counts as an approver. */
  initiator: string
  scopes: readonly string[]
  ipAllowlist: readonly string[]
  /** Address of a mutating request: the peer's or, behind trusted proxies, the client's. */
  clientIp: string | null
  rateLimitPerMinute: number
  /** Body as sent. Empty if there is none. */
  rawBody: Uint8Array
  /** Format of an upload. Absent where the body is none. */
  uploadFormat: Upload['format'] | undefined
  /** SHA-256 of an upload in hex, announced or, once it was read, its own. Absent where `rawBody` has the body. */
  bodySha256: string | undefined
  /** File that was uploaded. Absent on routes without uploads. */
  upload: Upload | undefined
  /** Path with query as sent, which the client signed. */
  sentPath: string
  /** Idempotent request of a POST with an Idempotency-Key; see `keepAnswer`. */
  idempotentRequest: IdempotentRequest | undefined
  /** Set under `/signer/v1` if an enrolled signer signed the request, or if the request enrols its signer. */
  signerKnown: true | undefined
  dependencies: ApiDependencies
}

/** An uploaded file on the disk, which is gone after the request. */
export interface Upload {
  /** File without a name, open for reading. */
  readonly file: FileHandle
  readonly bytes: number
  readonly format: 'csv' | 'ndjson'
}

/** Parts of Node's request and answer that the API needs. Tests pass it as the third argument of `app.request`. */
export interface ApiBindings {
  incoming?: { url?: string | undefined; socket?: { remoteAddress?: string | undefined } }
  /** Answer of Node, which an export breaks off. */
  outgoing?: { destroy(): unknown }
}

export interface ApiEnv {
  Variables: ApiVariables
  Bindings: ApiBindings
}

/** App on which routes are registered. */
export type ApiApp = OpenAPIHono<ApiEnv>

/** State of a POST with an Idempotency-Key while its handler runs. */
export interface IdempotentRequest {
  readonly key: string
  readonly owner: string
  /** Whether the handler's transaction has stored the answer with the effect. */
  kept: boolean
}
