/** Recurring withdrawals: `/withdrawal-schedules` (seed 002, "Scheduled: Pre-configured recurring transfers"). */

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
import { syncSchedule } from '../../db/payouts/schedules/sync-schedules.js'
import { requireForeign } from '../../db/wallets/find-own-wallets.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findCoin, findNetwork, knownCoin } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { everFires, refuseCron } from '../../domain/payouts/cron.js'
import { type AppliedSchedule, applySchedule, readNextFirings } from '../../temporal/apply-schedule.js'
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
import { originOf, positiveAmount, requireSenderPays } from './withdrawal-request.js'

const SECOND_MS = 1_000
/** Temporal is asked for the times to come; who asks for a schedule does not wait for a Temporal that is down. */
const NEXT_TIMEOUT_MS = 2_000
const SYNC_TIMEOUT_MS = 4_000
const MOST_NEXT = 5

const params = z.object({ id: z.string().max(255) })
const tags = ['Withdrawal schedules']

const create = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawal-schedules',
  summary: 'Asks for the same withdrawal again and again',
  description:
    'Each firing is a normal withdrawal with all its checks and two approvals of its own. The schedule itself needs none, because nothing leaves by it alone.',
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
  responses: { 201: answer(WithdrawalSchedule, 'Stored; it fires from start_at on') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawal-schedules',
  summary: 'Schedules, newest first; removed ones only by their status',
  tags,
  request: { query: ScheduleFilter },
  responses: { 200: listAnswer(WithdrawalSchedule) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawal-schedules/{id}',
  summary: 'One schedule, with the times to come',
  tags,
  request: { params },
  responses: { 200: answer(WithdrawalScheduleWithTimes) },
})

const firings = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawal-schedules/{id}/firings',
  summary: 'What became of each firing, newest first',
  tags,
  request: { params, query: Paging },
  responses: { 200: listAnswer(ScheduleFiring) },
})

const change = createRoute({
  ...secured('withdrawals'),
  method: 'patch',
  path: '/withdrawal-schedules/{id}',
  summary: 'Pauses, resumes, or changes a schedule for firings to come',
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
  summary: 'Removes a schedule; withdrawals that it asked for go on',
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
    const times = checkTimes(body, new Date())
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
    syncSoon(dependencies, view.id)
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
    const next_firings = view.status === 'active' ? await nextFirings(dependencies, id) : []
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
    syncSoon(dependencies, id)
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
    syncSoon(dependencies, id)
    return c.json(success(await viewOf(sql, merchantId, id)), 200)
  })
}

async function viewOf(sql: Queryable, merchantId: string, id: string): Promise<WithdrawalSchedule> {
  const [row] = await listSchedules(sql, merchantId, { id }, { before: null, offset: 0, take: 1 })
  if (!row) throw notFound('withdrawal schedule', id)
  return toScheduleView(row)
}

/** Tells Temporal without the answer waiting for it; the sweeper tells it when this fails. */
function syncSoon({ sql, temporal, log }: ApiDependencies, id: string): void {
  const client = temporal?.schedule
  if (!client) return
  // The row is locked meanwhile: a Temporal that does not answer must not hold it.
  const apply = (schedule: AppliedSchedule) =>
    client.connection.withDeadline(Date.now() + SYNC_TIMEOUT_MS, () => applySchedule(client, schedule))
  void syncSchedule(sql, id, apply).catch((error: unknown) => {
    log.warn({ err: error }, `schedule ${id} was not told to Temporal; the sweeper will`)
  })
}

async function nextFirings({ temporal }: ApiDependencies, id: string): Promise<string[] | null> {
  const client = temporal?.schedule
  if (!client) return null
  try {
    const times = await client.connection.withDeadline(Date.now() + NEXT_TIMEOUT_MS, () =>
      readNextFirings(client, id),
    )
    return times.slice(0, MOST_NEXT).map((time) => time.toISOString())
  } catch {
    return null
  }
}

/** Temporal's Schedules know whole seconds: the next one, but never one after the year 9999. */
function toSecond(text: string): Date {
  const second = new Date(Math.ceil(Date.parse(text) / SECOND_MS) * SECOND_MS)
  return second.getUTCFullYear() > 9_999 ? new Date(second.getTime() - SECOND_MS) : second
}

function checkTimes(
  body: {
    readonly cron?: string | undefined
    readonly interval_seconds?: number | undefined
    readonly start_at?: string | undefined
    readonly end_at?: string | undefined
  },
  now: Date,
): { readonly startAt: Date; readonly endAt: Date | null } {
  if ((body.cron === undefined) === (body.interval_seconds === undefined)) {
    throw refused('cron', 'send either cron or interval_seconds')
  }
  const wrong = body.cron === undefined ? null : refuseCron(body.cron)
  if (wrong !== null) throw refused('cron', wrong)
  const startAt = toSecond(body.start_at ?? now.toISOString())
  const endAt = body.end_at === undefined ? null : toSecond(body.end_at)
  if (endAt !== null && (endAt <= startAt || endAt <= now)) {
    throw refused('end_at', 'must be after start_at and in the future')
  }
  if (body.cron !== undefined && !everFires(body.cron, startAt > now ? startAt : now, endAt)) {
    const until = endAt === null ? '' : ' before end_at'
    throw refused('cron', `never fires${until}; day of the month and day of the week must both match`)
  }
  return { startAt, endAt }
}

function refused(path: string, reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `${path} ${reason}`, {
    details: { in: 'body', fields: [{ path, reason }] },
  })
}
