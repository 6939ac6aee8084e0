/** Routes with which a merchant stops its settlement, and resumes it. */

import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { countSends } from '../../db/controls/pauses/begin-send.js'
import { listPauses } from '../../db/controls/pauses/find-pause.js'
import type { PauseRow } from '../../db/controls/pauses/pause-row.js'
import { placePause } from '../../db/controls/pauses/place-pause.js'
import { findWaitingResumption, requestResume } from '../../db/controls/pauses/resume-settlement.js'
import { repeatTransaction } from '../../db/repeat-transaction.js'
import { QUORUM } from '../../domain/controls/approval.js'
import { PauseSettlement, ResumeSettlement, Settlement, type SettlementPause } from '../../wire/settlement.js'
import type { ApiApp, ApiDependencies, ApiEnv } from '../context.js'
import { answer, success } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { requireRole } from '../http/require-role.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'
import { awaitSends } from './await-sends.js'

const ENTITLED = { scope: 'admin', roles: ['finance', 'security'] } as const
const WHO = 'Needs the scope `admin`, or a person with the role `finance` or `security`.'

const get = createRoute({
  ...secured('read', 'admin', 'approvals'),
  method: 'get',
  path: '/settlement',
  summary: 'Whether payouts are sent, and the pauses that stand',
  tags: ['Settlement'],
  responses: { 200: answer(Settlement) },
})

const pause = createRoute({
  ...secured('admin', 'read', 'approvals'),
  method: 'post',
  path: '/settlement/pause',
  summary: 'Stop broadcasts, schedules and sweeps at once',
  description: `${WHO} Requests, approvals, watching and crediting go on. Once this is answered nothing more is sent, but what \`sending\` counts. A second pause changes nothing, and revokes a resumption that waits.`,
  tags: ['Settlement'],
  request: jsonBody(PauseSettlement),
  responses: { 200: answer(Settlement, 'Paused') },
})

const resume = createRoute({
  ...secured('admin', 'read', 'approvals'),
  method: 'post',
  path: '/settlement/resume',
  summary: 'Ask for the end of the pause, which two other people must approve',
  description: WHO,
  tags: ['Settlement'],
  request: jsonBody(ResumeSettlement),
  responses: { 202: answer(Settlement, 'Waits for two approvals under `approval.path`') },
})

/** Registers `/settlement`. `/intent` and `/approvals` of a resumption are in `approvals.ts`. */
export function registerSettlementRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, environment } = dependencies
  const everything = (c: Context<ApiEnv>) => ({ merchantId: c.get('merchantId'), network: null, coin: null })

  app.openapi(get, async (c) => c.json(success(await view(sql, c.get('merchantId'))), 200))

  app.openapi(pause, async (c) => {
    await requireRole(c, sql, ENTITLED)
    const { reason } = c.req.valid('json')
    const placed = { ...everything(c), placedBy: 'merchant', reason, actor: c.get('actor') } as const
    // The pause is committed by itself, because the wait for what is being sent must not hold its lock.
    const { revoked } = await repeatTransaction(sql, (tx) => placePause(tx, placed))
    if (revoked !== null) startControlChangeSoon(dependencies, revoked, (handle) => handle.signal('revoked'))
    await awaitSends(sql, everything(c))
    const kept = await inTransaction(sql, async (tx) =>
      keepAnswer(c, tx, 200, success(await view(tx, c.get('merchantId')))),
    )
    return c.json(kept, 200)
  })

  app.openapi(resume, async (c) => {
    await requireRole(c, sql, ENTITLED)
    const { reason } = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const { id, kept } = await inTransaction(sql, async (tx) => {
      const { resumption } = await requestResume(tx, {
        merchantId,
        reason,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        expiryMs: environment.KEYTURN_CHANGE_EXPIRY,
      })
      return { id: resumption, kept: await keepAnswer(c, tx, 202, success(await view(tx, merchantId))) }
    })
    startControlChangeSoon(dependencies, id)
    return c.json(kept, 202)
  })
}

async function view(sql: Queryable, merchantId: string): Promise<Settlement> {
  const pauses = await listPauses(sql, merchantId)
  const waiting = await findWaitingResumption(sql, merchantId)
  return {
    paused: pauses.length > 0,
    pauses: pauses.map(viewPause),
    sending: pauses.length === 0 ? 0 : await countSends(sql, { merchantId, network: null, coin: null }),
    approval: waiting && {
      path: `/settlement/resumptions/${waiting.id}`,
      intent_hash: waiting.intent_hash,
      required: QUORUM,
      expires_at: waiting.expires_at.toISOString(),
    },
  }
}

/** Returns the view of a pause, without whom else it concerns. */
export function viewPause(row: PauseRow): SettlementPause {
  const { id, placed_by, network, coin, reason, since } = row
  return { id, placed_by, network, coin, reason, since: since.toISOString() }
}
