/** Routes of the whitelist of destinations. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { changeNotFound } from '../../db/controls/changes/find-control-change.js'
import { revokeControlChange } from '../../db/controls/changes/revoke-control-change.js'
import { createWhitelistEntry } from '../../db/controls/whitelist/create-whitelist-entry.js'
import { listWhitelistEntries, toWhitelistView } from '../../db/controls/whitelist/list-whitelist-entries.js'
import { requireForeign } from '../../db/wallets/find-own-wallets.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findNetwork } from '../../domain/chain/network.js'
import { NewWhitelistEntry, WhitelistEntry, WhitelistFilter } from '../../wire/whitelist.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { canonicalQuery } from '../http/canonical-query.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'

const params = z.object({ id: z.string().max(255) })

const create = createRoute({
  ...secured('policy'),
  method: 'post',
  path: '/whitelist/addresses',
  summary: 'Request a whitelist entry: two approvals by other people, then the cool-down',
  tags: ['Whitelist'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: NewWhitelistEntry,
        },
      },
    },
  },
  responses: { 201: answer(WhitelistEntry, 'Waits for its approvals') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/whitelist/addresses',
  summary: 'Whitelist entries, newest first',
  tags: ['Whitelist'],
  request: {
    query: WhitelistFilter,
  },
  responses: { 200: listAnswer(WhitelistEntry) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/whitelist/addresses/{id}',
  summary: 'One whitelist entry',
  tags: ['Whitelist'],
  request: { params },
  responses: { 200: answer(WhitelistEntry) },
})

const remove = createRoute({
  ...secured('policy'),
  method: 'delete',
  path: '/whitelist/addresses/{id}',
  summary: 'Remove an entry at once',
  tags: ['Whitelist'],
  request: { params },
  responses: { 200: answer(WhitelistEntry, 'Removed') },
})

/** Registers `/whitelist/addresses`. An entry's `/intent` and `/approvals` are in `approvals.ts`. */
export function registerWhitelistRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const { address } = parseAddress(network, body.address)
    const merchantId = c.get('merchantId')
    await requireForeign(sql, merchantId, network, body.address)
    const { view, kept } = await inTransaction(sql, async (tx) => {
      const id = await createWhitelistEntry(tx, {
        merchantId,
        network,
        address,
        label: body.label,
        dailyLimit: body.daily_limit ?? null,
        monthlyLimit: body.monthly_limit ?? null,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        coolDownMs: environment.KEYTURN_WHITELIST_COOL_DOWN,
        expiryMs: environment.KEYTURN_CHANGE_EXPIRY,
      })
      const view = await viewOf(tx, merchantId, id)
      return { view, kept: await keepAnswer(c, tx, 201, success(view)) }
    })
    startControlChangeSoon(dependencies, view.id)
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const filter = {
      network: query.network,
      address: canonicalQuery(query.address, networks),
      status: query.status,
    }
    const rows = await listWhitelistEntries(sql, c.get('merchantId'), filter, toSlice(query))
    return c.json(successPage(toPage(query, rows, toWhitelistView, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    return c.json(success(await viewOf(sql, c.get('merchantId'), c.req.valid('param').id)), 200)
  })

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    await inTransaction(sql, (tx) => revokeControlChange(tx, 'whitelist', { merchantId, id, actor }))
    startControlChangeSoon(dependencies, id, (handle) => handle.signal('revoked'))
    return c.json(success(await viewOf(sql, merchantId, id)), 200)
  })
}

async function viewOf(sql: Queryable, merchantId: string, id: string): Promise<WhitelistEntry> {
  const slice = { before: null, offset: 0, take: 1 }
  const [row] = await listWhitelistEntries(sql, merchantId, { id }, slice)
  if (!row) throw changeNotFound('whitelist', id)
  return toWhitelistView(row)
}
