/** Routes of deposit addresses, to which users of a merchant pay. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction } from '../../db/connect.js'
import { allocateAddress } from '../../db/wallets/allocate-address.js'
import { getAddress } from '../../db/wallets/get-address.js'
import { type AddressRow, listAddresses } from '../../db/wallets/list-addresses.js'
import { findNetwork } from '../../domain/chain/network.js'
import { Address, AddressFilter, NewAddress } from '../../wire/address.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { canonicalQuery } from '../http/canonical-query.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { onceCompared } from './once-compared.js'

const create = createRoute({
  ...secured('payments'),
  method: 'post',
  path: '/addresses',
  summary:
    'Assign a user’s address on a network: the existing one, or a new one if none exists or `new` is true',
  tags: ['Addresses'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: NewAddress,
        },
      },
    },
  },
  responses: { 200: answer(Address, 'Existing address'), 201: answer(Address, 'New address') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/addresses',
  summary: 'Deposit addresses, newest first',
  tags: ['Addresses'],
  request: {
    query: AddressFilter,
  },
  responses: { 200: listAnswer(Address) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/addresses/{id}',
  summary: 'One address',
  tags: ['Addresses'],
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: answer(Address) },
})

/** Registers `/addresses`. */
export function registerAddressRoutes(app: ApiApp, { sql, networks }: ApiDependencies): void {
  app.openapi(create, async (c) => {
    const { user_reference, network, label, new: fresh } = c.req.valid('json')
    const found = findNetwork(networks, network)
    const allocated = await onceCompared(() =>
      inTransaction(sql, async (tx) => {
        const { address, created } = await allocateAddress(tx, {
          merchantId: c.get('merchantId'),
          network: found,
          userReference: user_reference,
          label: label ?? null,
          fresh,
        })
        const status = created ? (201 as const) : (200 as const)
        return { status, body: await keepAnswer(c, tx, status, success(view(address))) }
      }),
    )
    return c.json(allocated.body, allocated.status)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const { user_reference, network } = query
    const address = canonicalQuery(query.address, networks)
    const filter = { user_reference, network, address }
    const rows = await listAddresses(sql, c.get('merchantId'), filter, toSlice(query))
    return c.json(successPage(toPage(query, rows, view, (row) => row.id)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const row = await getAddress(sql, c.get('merchantId'), id)
    if (!row) throw notFound('address', id)
    return c.json(success(view(row)), 200)
  })
}

function view(row: AddressRow): Address {
  return {
    id: row.id,
    address: row.address,
    network: row.network,
    user_reference: row.user_reference,
    label: row.label,
    kind: row.kind,
    derivation_path: row.derivation_path,
    created_at: row.created_at.toISOString(),
  }
}
