/** Routes of periods: list and read them, close one, and open one again. */

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { findPendingChange } from '../../db/books/periods/find-period-change.js'
import { type FoundPeriod, findPeriod } from '../../db/books/periods/find-window.js'
import { listPeriods } from '../../db/books/periods/list-periods.js'
import { readAdjustments } from '../../db/books/periods/read-adjustments.js'
import { readChecklist } from '../../db/books/periods/read-checklist.js'
import { readProof } from '../../db/books/periods/read-proof.js'
import { readTrialBalance } from '../../db/books/periods/read-trial-balance.js'
import { requestReopen } from '../../db/books/periods/reopen-period.js'
import { requestClose } from '../../db/books/periods/request-close.js'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { errorCode } from '../../db/database-errors.js'
import { settleTime } from '../../db/exports/settle-time.js'
import type { Networks } from '../../domain/chain/network.js'
import { QUORUM } from '../../domain/controls/approval.js'
import { KeyturnError } from '../../domain/errors.js'
import {
  ClosePeriod,
  Period,
  PeriodFilter,
  PeriodName,
  PeriodSummary,
  ReopenPeriod,
} from '../../wire/period.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { notFound } from '../http/not-found.js'
import { toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'
import { startReconciliationSoon } from '../start/start-reconciliation-soon.js'
import { FINANCE_ONLY, requireFinance, securedForFinance } from './require-finance.js'

/** Wait for bookings that are under way when a close is requested. */
const SETTLE_MS = 5_000

/** Code of PostgreSQL for a statement that ran longer than it may. */
const TIMED_OUT = '57014'
/** Adjustments that a period lists. The file of its statement has all. */
const MOST_ADJUSTMENTS = 1_000

const params = z.object({ period: PeriodName })
const awaits = { 202: answer(Period, 'Waits for two approvals under `approval.path`') }

const list = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/periods',
  summary: 'The months of the books, newest first',
  tags: ['Periods'],
  request: { query: PeriodFilter },
  responses: { 200: listAnswer(PeriodSummary) },
})

const get = createRoute({
  ...secured('read', 'reconciliation'),
  method: 'get',
  path: '/periods/{period}',
  summary: 'One month: checklist, trial balance, proof and adjustments',
  tags: ['Periods'],
  request: { params },
  responses: { 200: answer(Period) },
})

const close = createRoute({
  ...securedForFinance(),
  method: 'post',
  path: '/periods/close',
  summary: 'Ask for the close of a month, which two other people must approve',
  description: `${FINANCE_ONLY} 409 \`INVALID_STATE\` while the month runs, or with \`details.checklist\` where something of it speaks against the close.`,
  tags: ['Periods'],
  request: { body: { required: true, content: { 'application/json': { schema: ClosePeriod } } } },
  responses: awaits,
})

const reopen = createRoute({
  ...securedForFinance(),
  method: 'post',
  path: '/periods/{period}/reopen',
  summary: 'Ask for the re-opening of the last closed month, which two other people must approve',
  description: FINANCE_ONLY,
  tags: ['Periods'],
  request: { params, body: { required: false, content: { 'application/json': { schema: ReopenPeriod } } } },
  responses: awaits,
})

/** Registers `/periods`. Their `/intent` and `/approvals` are in `api/controls/approvals.ts`. */
export function registerPeriodRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies
  const requestOf = (c: Context<ApiEnv>) => ({
    merchantId: c.get('merchantId'),
    initiator: c.get('initiator'),
    actor: c.get('actor'),
    expiryMs: environment.KEYTURN_CHANGE_EXPIRY,
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listPeriods(sql, c.get('merchantId'), query.status, toSlice(query))
    const view = (row: (typeof rows)[number]): PeriodSummary => ({
      period: row.period,
      status: row.status,
      from: row.window.from.toISOString(),
      to: row.window.to.toISOString(),
      hash: row.hash,
      closed_at: row.closedAt?.toISOString() ?? null,
    })
    return c.json(successPage(toPage(query, rows, view, (row) => row.period)), 200)
  })

  app.openapi(get, async (c) => {
    const { period } = c.req.valid('param')
    return c.json(success(await viewPeriod(sql, networks, c.get('merchantId'), period)), 200)
  })

  app.openapi(close, async (c) => {
    await requireFinance(c, sql)
    const { period } = c.req.valid('json')
    const { asOf, settled } = await settleTime(sql, c.get('merchantId'), SETTLE_MS)
    if (!settled) {
      throw new KeyturnError(
        'DEPENDENCY_UNAVAILABLE',
        'A booking has been under way for long. Try again soon',
        {
          retryable: true,
        },
      )
    }
    const { intent, run, kept } = await inTransaction(sql, async (tx) => {
      const requested = await requestClose(tx, networks, {
        ...requestOf(c),
        period,
        settled: new Date(asOf),
        early: environment.KEYTURN_PERIOD_CLOSE_EARLY,
        mostRuns: environment.KEYTURN_RECONCILIATION_RUNS,
      })
      const body = success(await viewPeriod(tx, networks, c.get('merchantId'), period))
      return { ...requested, kept: await keepAnswer(c, tx, 202, body) }
    })
    startReconciliationSoon(dependencies, run)
    startControlChangeSoon(dependencies, intent.close)
    return c.json(kept, 202)
  })

  app.openapi(reopen, async (c) => {
    await requireFinance(c, sql)
    const { period } = c.req.valid('param')
    const { reason = 'none given' } = c.req.valid('json') ?? {}
    const { id, kept } = await inTransaction(sql, async (tx) => {
      const { reopening } = await requestReopen(tx, { ...requestOf(c), period, reason })
      const body = success(await viewPeriod(tx, networks, c.get('merchantId'), period))
      return { id: reopening, kept: await keepAnswer(c, tx, 202, body) }
    })
    startControlChangeSoon(dependencies, id)
    return c.json(kept, 202)
  })
}

async function viewPeriod(
  sql: Queryable,
  networks: Networks,
  merchantId: string,
  period: string,
): Promise<Period> {
  const found = await findPeriod(sql, merchantId, period)
  const now = new Date()
  if (!found || (found.row === null && found.window.from > now)) throw notFound('period', period)
  const { window, row } = found
  const pending = await findPendingChange(sql, merchantId, period)
  const adjustments = await readAdjustments(sql, merchantId, window, MOST_ADJUSTMENTS)
  return {
    period,
    status: row?.status ?? 'open',
    from: window.from.toISOString(),
    to: window.to.toISOString(),
    hash: row?.hash ?? null,
    closed_at: row?.closed_at?.toISOString() ?? null,
    ...(await booksOf(sql, networks, merchantId, found, now)),
    adjustments: adjustments.rows,
    adjustments_total: adjustments.total,
    adjustments_truncated: adjustments.rows.length < adjustments.total,
    approval: pending && {
      path: `/periods/${period}`,
      intent_hash: pending.intent_hash,
      required: QUORUM,
      expires_at: pending.expires_at.toISOString(),
    },
  }
}

/** Returns what was stored when the period closed, or how an open one stands now. */
async function booksOf(
  sql: Queryable,
  networks: Networks,
  merchantId: string,
  { period, row, window, followsClosed }: FoundPeriod,
  now: Date,
): Promise<Pick<Period, 'checklist' | 'trial_balance' | 'proof'>> {
  if (row?.trial_balance && row.proof)
    return { checklist: row.checklist, trial_balance: row.trial_balance, proof: row.proof }
  const running = window.to > now
  const at = running ? now : window.to
  try {
    const proof = await readProof(sql, networks, merchantId, at, running)
    return {
      checklist: await readChecklist(sql, merchantId, window, followsClosed, proof),
      trial_balance: await readTrialBalance(sql, networks, merchantId, at),
      proof,
    }
  } catch (cause) {
    if (errorCode(cause) !== TIMED_OUT) throw cause
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The figures of ${period} took too long to add up. Try again while less is booked, or allow more by KEYTURN_STATEMENT_TIMEOUT. Once its close is asked for, they are stored and read at once`,
      { cause, retryable: true, details: { dependency: 'postgres', period } },
    )
  }
}
