/** Routes of a merchant's API keys. */

import { createRoute, z } from '@hono/zod-openapi'
import { masterKeysOf } from '../../config/master-keys.js'
import {
  type ApiKeyRow,
  listApiKeys,
  readApiKey,
  requireRoomForKey,
  revokeApiKey,
} from '../../db/access/api-key-row.js'
import { DEFAULT_RATE, insertApiKey } from '../../db/access/create-api-key.js'
import { rotateApiKey } from '../../db/access/rotate-api-key.js'
import { inTransaction } from '../../db/connect.js'
import { requirePerson } from '../../db/merchants/require-person.js'
import { scopesOfPerson } from '../../db/merchants/scopes-of-person.js'
import { KeyturnError } from '../../domain/errors.js'
import { ApiKey, ApiKeyWithSecret, KeyRotation, NewApiKey, RevokedApiKey } from '../../wire/api-key.js'
import { Paging } from '../../wire/paging.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'

/** Least overlap of a key that rotates itself, in seconds. */
const LEAST_OWN_OVERLAP = 60

const params = z.object({ id: z.string().max(255) })
const tags = ['API keys']

const create = createRoute({
  ...secured('admin'),
  method: 'post',
  path: '/keys',
  summary: 'Make an API key. Only this answer shows its secret',
  description: 'It can have no scope that the key lacks which makes it.',
  tags,
  request: jsonBody(NewApiKey),
  responses: { 201: answer(ApiKeyWithSecret, 'Made') },
})

const list = createRoute({
  ...secured('admin'),
  method: 'get',
  path: '/keys',
  summary: 'API keys that are not revoked, newest first',
  tags,
  request: { query: Paging },
  responses: { 200: listAnswer(ApiKey) },
})

const rotate = createRoute({
  ...secured('admin'),
  method: 'post',
  path: '/keys/{id}/rotate',
  summary: 'Replace key and secret. The replaced ones stay valid until the overlap is over',
  tags,
  request: { params, ...jsonBody(KeyRotation, false) },
  responses: { 200: answer(ApiKeyWithSecret) },
})

const revoke = createRoute({
  ...secured('admin'),
  method: 'delete',
  path: '/keys/{id}',
  summary: 'Revoke an API key, at once',
  description: '409 `INVALID_STATE` for the key that makes the request.',
  tags,
  request: { params },
  responses: { 200: answer(RevokedApiKey) },
})

/** Registers `/keys`. */
export function registerKeyRoutes(app: ApiApp, { sql, environment, lastUses }: ApiDependencies): void {
  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const personId = body.person_id ?? null
    requireHeld(c.get('scopes'), [...body.scopes, ...(await scopesOfPerson(sql, merchantId, personId))])
    const kept = await inTransaction(sql, async (tx) => {
      if (personId !== null) await requirePerson(tx, merchantId, personId)
      await requireRoomForKey(tx, merchantId)
      const { id, secret } = await insertApiKey(tx, environment.KEYTURN_MASTER_KEY, {
        merchantId,
        name: body.name,
        scopes: body.scopes,
        ipAllowlist: body.ip_allowlist,
        ...(personId === null ? {} : { personId }),
        rateLimitPerMinute: Math.min(c.get('rateLimitPerMinute'), DEFAULT_RATE),
        actor: c.get('actor'),
      })
      const row = await readApiKey(tx, merchantId, id)
      return keepAnswer(c, tx, 201, success({ ...view(row), api_secret: secret }))
    })
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    // What this process has noted is shown at once.
    await lastUses?.flush()
    const rows = await listApiKeys(sql, c.get('merchantId'), toSlice(query))
    return c.json(successPage(toPage(query, rows, view, (row) => row.id)), 200)
  })

  app.openapi(rotate, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const { overlap_seconds: overlapSeconds } = KeyRotation.parse(c.req.valid('json') ?? {})
    if (id === c.get('apiKeyId') && overlapSeconds < LEAST_OWN_OVERLAP) {
      throw new KeyturnError(
        'INVALID_STATE',
        `A key rotates itself with an overlap of at least ${LEAST_OWN_OVERLAP} seconds, so that a lost answer can be asked for again`,
        { details: { id } },
      )
    }
    const kept = await inTransaction(sql, async (tx) => {
      const key = await readApiKey(tx, merchantId, id)
      // The new secret has every scope of the key, and its person's roles.
      requireHeld(c.get('scopes'), [...key.scopes, ...(await scopesOfPerson(tx, merchantId, key.person_id))])
      const { secret } = await rotateApiKey(tx, masterKeysOf(environment), {
        merchantId,
        id,
        overlapSeconds,
        actor: c.get('actor'),
      })
      return keepAnswer(
        c,
        tx,
        200,
        success({ ...view(await readApiKey(tx, merchantId, id)), api_secret: secret }),
      )
    })
    return c.json(kept, 200)
  })

  app.openapi(revoke, async (c) => {
    const { id } = c.req.valid('param')
    if (id === c.get('apiKeyId')) {
      throw new KeyturnError('INVALID_STATE', 'A key does not revoke itself. Use another key', {
        details: { id },
      })
    }
    await inTransaction(sql, (tx) =>
      revokeApiKey(tx, { merchantId: c.get('merchantId'), id, actor: c.get('actor') }),
    )
    return c.json(success({ id, revoked: true as const }), 200)
  })
}

/** @throws KeyturnError `INSUFFICIENT_SCOPE` with the scopes that the maker lacks. */
function requireHeld(held: readonly string[], wanted: readonly string[]): void {
  const missing = wanted.filter((scope) => !held.includes(scope))
  if (missing.length === 0) return
  throw new KeyturnError(
    'INSUFFICIENT_SCOPE',
    `Your key lacks the scope "${missing.join('" and "')}", so it cannot grant it`,
    { details: { required: missing, scopes: held } },
  )
}

function view(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    api_key: row.public_id,
    name: row.name,
    scopes: row.scopes,
    ip_allowlist: row.ip_allowlist,
    person_id: row.person_id,
    created_at: row.created_at.toISOString(),
    last_used_at: row.last_used_at?.toISOString() ?? null,
    previous: row.previous.map(({ api_key, expires_at }) => ({
      api_key,
      expires_at: new Date(expires_at).toISOString(),
    })),
  }
}
