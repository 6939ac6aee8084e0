/** Routes of movements between the merchant's own wallets: list them, and request a consolidation. */

import { createRoute, z } from '@hono/zod-openapi'
import { appendAudit } from '../../db/audit/append-audit.js'
import { inTransaction, type Sql } from '../../db/connect.js'
import { dueOnRequest } from '../../db/payouts/movements/consolidation-due.js'
import { listMovements } from '../../db/payouts/movements/list-movements.js'
import { readMovementView, toMovementView } from '../../db/payouts/movements/movement-view.js'
import { getAddress } from '../../db/wallets/get-address.js'
import { byFamily } from '../../domain/chain/by-family.js'
import { findCoin, findNetwork, type Network, nativeCoin } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { consolidationId } from '../../temporal/ids.js'
import type { ConsolidationInput } from '../../temporal/inputs.js'
import { startConsolidation } from '../../temporal/start.js'
import { ConsolidationRequest, Movement, MovementFilter, NewConsolidation } from '../../wire/movement.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startSoon } from '../start/start-soon.js'

const params = z.object({ id: z.string().max(255) })

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/movements',
  summary: 'Movements between own wallets, newest first',
  tags: ['Movements'],
  request: {
    query: MovementFilter,
  },
  responses: { 200: listAnswer(Movement) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/movements/{id}',
  summary: 'One movement',
  tags: ['Movements'],
  request: { params },
  responses: { 200: answer(Movement) },
})

const consolidate = createRoute({
  ...secured('admin'),
  method: 'post',
  path: '/movements/consolidate',
  summary: 'Consolidate deposit addresses that are worth their fee into the master wallet now',
  description:
    'It works on networks without automatic consolidation as well. The configured least amounts and fee shares apply. Movements appear under /movements.',
  tags: ['Movements'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: NewConsolidation,
        },
      },
    },
  },
  responses: {
    200: answer(
      ConsolidationRequest,
      'Consolidations under way, at most 500, those with the largest balances first',
    ),
  },
})

/** Registers `/movements`. */
export function registerMovementRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks } = dependencies

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const { kind, status, network, coin } = query
    const rows = await listMovements(
      sql,
      c.get('merchantId'),
      { kind, status, network, coin },
      toSlice(query),
    )
    const page = toPage(
      query,
      rows,
      (row) => toMovementView(networks, row),
      (row) => row.id,
    )
    return c.json(successPage(page), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const view = await readMovementView(sql, networks, id, c.get('merchantId'))
    if (!view) throw notFound('movement', id)
    return c.json(success(view), 200)
  })

  app.openapi(consolidate, async (c) => {
    const body = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const network = findNetwork(networks, body.network)
    if (body.coin !== undefined) findCoin(network, body.coin)
    if (body.address_id !== undefined) await requireDepositAddress(sql, merchantId, network, body.address_id)
    const { due, kept } = await inTransaction(sql, async (tx) => {
      const due = await byFamily(network, {
        utxo: (utxo): ConsolidationInput[] => [
          {
            merchantId,
            network: utxo.name,
            coin: nativeCoin(utxo).name,
            id: merchantId,
            title: `small outputs of ${merchantId}`,
            requested: true,
          },
        ],
        evm: ({ name }): Promise<ConsolidationInput[]> =>
          dueOnRequest(tx, { merchantId, network: name, coin: body.coin, addressId: body.address_id }),
      })
      await appendAudit(tx, {
        merchantId,
        actor: c.get('actor'),
        action: 'consolidation.requested',
        subject: body.address_id ?? network.name,
        data: { ...body, found: due.length },
      })
      const answered = {
        consolidations: due.map((each) => ({
          network: each.network,
          coin: each.coin,
          address_id: each.id === merchantId ? null : each.id,
          workflow_id: consolidationId(each.network, each.coin, each.id),
        })),
      }
      return { due, kept: await keepAnswer(c, tx, 200, success(answered)) }
    })
    for (const input of due) {
      startSoon(dependencies, `consolidation of ${input.title}`, (client) =>
        startConsolidation(client, input),
      )
    }
    return c.json(kept, 200)
  })
}

/** Requires a deposit address of the merchant on an EVM network. @throws KeyturnError `VALIDATION_FAILED`. */
async function requireDepositAddress(
  sql: Sql,
  merchantId: string,
  network: Network,
  id: string,
): Promise<void> {
  const address = await getAddress(sql, merchantId, id)
  const wrong = address?.kind !== 'deposit' || address.network !== network.name
  const sweepsAddresses = byFamily(network, { utxo: () => false, evm: () => true })
  if (!wrong && sweepsAddresses) return
  const reason = wrong
    ? `is not a deposit address of yours on ${network.name}. GET /addresses lists them`
    : `cannot be chosen on ${network.name}, where the small outputs of all addresses are consolidated. Remove it`
  throw new KeyturnError('VALIDATION_FAILED', `address_id ${reason}`, {
    details: { in: 'body', fields: [{ path: 'address_id', reason }] },
  })
}
