/** Routes of withdrawal schedules: recurring withdrawals and their firings. */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { requireWallet } from '../../db/payouts/require-wallet.js'
import { changeSchedule } from '../../db/payouts/schedules/change-schedule.js'
import { createSchedule } from '../../db/payouts/schedules/create-schedule.js'
import {
  listFirings,
  listSchedules,
  toFiringView,
  toScheduleView,
} from '../../db/payouts/schedules/list-schedules.js'
import { findSchedule } from '../../db/payouts/schedules/schedule-row.js'
import { requireForeign } from '../../db/wallets/find-own-wallets.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findCoin, findNetwork, knownCoin } from '../../domain/chain/network.js'
import { Paging } from '../../wire/paging.js'
import {
  NewWithdrawalSchedule,
  ScheduleFilter,
  ScheduleFiring,
  WithdrawalSchedule,
  WithdrawalScheduleChange,
  WithdrawalScheduleWithTimes,
} from '../../wire/schedule.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { syncScheduleSoon } from '../start/sync-schedule-soon.js'
import { checkScheduleTimes, toSecond } from './check-schedule-times.js'
import { readNextTimes } from './read-next-times.js'
import { originOf, positiveAmount, requireSenderPays } from './withdrawal-request.js'

const SECOND_MS = 1_000

const params = z.object({ id: z.string().max(255) })
const tags = ['Withdrawal schedules']

const create = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawal-schedules',
  summary: 'Request the same withdrawal at recurring times',
  description:
    'Each firing is a normal withdrawal with all its checks and its own two approvals. The schedule itself needs none, because it alone pays nothing.',
  tags,
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: NewWithdrawalSchedule,
        },
      },
    },
  },
  responses: { 201: answer(WithdrawalSchedule, 'Stored. It fires from start_at on') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawal-schedules',
  summary: 'Schedules, newest first. Removed ones are listed only by their status',
  tags,
  request: { query: ScheduleFilter },
  responses: { 200: listAnswer(WithdrawalSchedule) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawal-schedules/{id}',
  summary: 'One schedule with its next firing times',
  tags,
  request: { params },
  responses: { 200: answer(WithdrawalScheduleWithTimes) },
})

const firings = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawal-schedules/{id}/firings',
  summary: 'Firings of a schedule with their outcome, newest first',
  tags,
  request: { params, query: Paging },
  responses: { 200: listAnswer(ScheduleFiring) },
})

const change = createRoute({
  ...secured('withdrawals'),
  method: 'patch',
  path: '/withdrawal-schedules/{id}',
  summary: 'Pause, resume or change a schedule for its later firings',
  tags,
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': {
          schema: WithdrawalScheduleChange,
        },
      },
    },
  },
  responses: { 200: answer(WithdrawalSchedule, 'Changed') },
})

const remove = createRoute({
  ...secured('withdrawals'),
  method: 'delete',
  path: '/withdrawal-schedules/{id}',
  summary: 'Remove a schedule. Withdrawals that it requested continue',
  tags,
  request: { params },
  responses: { 200: answer(WithdrawalSchedule, 'Removed') },
})

/** Registers `/withdrawal-schedules`. */
export function registerWithdrawalScheduleRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const { withdrawal } = body
    const network = findNetwork(networks, withdrawal.network)
    const coin = findCoin(network, withdrawal.coin)
    requireSenderPays(withdrawal.fee_payer, coin)
    await requireWallet(sql, c.get('merchantId'), network, withdrawal.from_address_id ?? null)
    const times = checkScheduleTimes(body, new Date())
    const template = {
      network: network.name,
      coin: coin.name,
      amount: positiveAmount(withdrawal.amount, coin.decimals).toString(),
      amount_text: withdrawal.amount,
      to_address: parseAddress(network, withdrawal.to_address).address,
      from_address_id: withdrawal.from_address_id ?? null,
      fee_payer: withdrawal.fee_payer,
      priority: withdrawal.priority,
      user_reference: withdrawal.user_reference ?? null,
      metadata: withdrawal.metadata,
      ...originOf(dependencies, c.get('clientIp')),
    }
    const merchantId = c.get('merchantId')
    const { view, kept } = await inTransaction(sql, async (tx) => {
      await requireForeign(tx, merchantId, network, template.to_address)
      const id = await createSchedule(tx, {
        merchantId,
        label: body.label,
        cron: body.cron ?? null,
        intervalMs: body.interval_seconds === undefined ? null : body.interval_seconds * SECOND_MS,
        ...times,
        catchUpMs:
          body.catch_up_seconds === undefined
            ? environment.KEYTURN_SCHEDULE_CATCH_UP
            : body.catch_up_seconds * SECOND_MS,
        paused: body.paused,
        template,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
      })
      const view = await viewOf(tx, merchantId, id)
      return { view, kept: await keepAnswer(c, tx, 201, success(view)) }
    })
    syncScheduleSoon(dependencies, view.id)
    return c.json(kept, 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listSchedules(sql, c.get('merchantId'), { status: query.status }, toSlice(query))
    const page = toPage(
      query,
      rows,
      (row) => toScheduleView(row),
      (row) => row.id,
    )
    return c.json(successPage(page), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    const view = await viewOf(sql, c.get('merchantId'), id)
    const next_firings = view.status === 'active' ? await readNextTimes(dependencies, id) : []
    return c.json(success({ ...view, next_firings }), 200)
  })

  app.openapi(firings, async (c) => {
    const query = c.req.valid('query')
    const { id } = await findSchedule(sql, c.get('merchantId'), c.req.valid('param').id)
    const rows = await listFirings(sql, id, toSlice(query))
    return c.json(successPage(toPage(query, rows, toFiringView, (row) => row.id)), 200)
  })

  app.openapi(change, async (c) => {
    const { id } = c.req.valid('param')
    const { amount, priority, metadata, ...body } = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const row = await findSchedule(sql, merchantId, id)
    const { decimals } = knownCoin(findNetwork(networks, row.template.network), row.template.coin)
    await inTransaction(sql, (tx) =>
      changeSchedule(
        tx,
        { merchantId, id, actor: c.get('actor'), person: c.get('initiator') },
        {
          label: body.label,
          paused: body.paused,
          endAt: body.end_at == null ? body.end_at : toSecond(body.end_at),
          template: {
            ...(amount === undefined
              ? {}
              : { amount: positiveAmount(amount, decimals).toString(), amount_text: amount }),
            ...(priority === undefined ? {} : { priority }),
            ...(metadata === undefined ? {} : { metadata }),
          },
        },
      ),
    )
    syncScheduleSoon(dependencies, id)
    return c.json(success(await viewOf(sql, merchantId, id)), 200)
  })

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    await inTransaction(sql, (tx) =>
      changeSchedule(
        tx,
        { merchantId, id, actor: c.get('actor'), person: c.get('initiator') },
        { deleted: true },
      ),
    )
    syncScheduleSoon(dependencies, id)
    return c.json(success(await viewOf(sql, merchantId, id)), 200)
  })
}

async function viewOf(sql: Queryable, merchantId: string, id: string): Promise<WithdrawalSchedule> {
  const [row] = await listSchedules(sql, merchantId, { id }, { before: null, offset: 0, take: 1 })
  if (!row) throw notFound('withdrawal schedule', id)
  return toScheduleView(row)
}
