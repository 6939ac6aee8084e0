/** Routes with which the operator stops the settlement of a merchant, of a rail or of everything. */

import { createRoute } from '@hono/zod-openapi'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { countSends } from '../../db/controls/pauses/begin-send.js'
import { listAllPauses } from '../../db/controls/pauses/find-pause.js'
import type { PauseRow } from '../../db/controls/pauses/pause-row.js'
import { placePause } from '../../db/controls/pauses/place-pause.js'
import { voteToResume } from '../../db/controls/pauses/vote-to-resume.js'
import { requireMerchant } from '../../db/merchants/require-merchant.js'
import { repeatTransaction } from '../../db/repeat-transaction.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { NewOperatorPause, OperatorPause, OperatorResume, ResumeVotes } from '../../wire/settlement.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { awaitSends } from '../controls/await-sends.js'
import { viewPause } from '../controls/settlement.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { jsonBody } from '../http/json-body.js'
import { wholeList } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'

const list = createRoute({
  ...secured('operator'),
  method: 'get',
  path: '/admin/settlement',
  summary: 'The pauses that stand, of merchants and of operators',
  tags: ['Operator'],
  responses: { 200: listAnswer(OperatorPause) },
})

const pause = createRoute({
  ...secured('operator'),
  method: 'post',
  path: '/admin/settlement/pause',
  summary: 'Stop broadcasts, schedules and sweeps of a merchant, a rail or everything at once',
  description:
    'As `POST /settlement/pause`. The same pause again changes nothing, and takes back votes to end it.',
  tags: ['Operator'],
  request: jsonBody(NewOperatorPause),
  responses: { 200: answer(OperatorPause, 'Paused') },
})

const resume = createRoute({
  ...secured('operator'),
  method: 'post',
  path: '/admin/settlement/resume',
  summary: 'Ask for the end of an operator’s pause, which ends when enough operators have asked',
  description:
    '`KEYTURN_OPERATOR_APPROVALS` says how many. The pause of a merchant is ended by its own people.',
  tags: ['Operator'],
  request: jsonBody(OperatorResume),
  responses: { 200: answer(ResumeVotes) },
})

/** Registers `/admin/settlement`. */
export function registerOperatorSettlementRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(list, async (c) => {
    const rows = await listAllPauses(sql)
    return c.json(successPage(wholeList(await Promise.all(rows.map((row) => view(sql, row))))), 200)
  })

  app.openapi(pause, async (c) => {
    const { reason, merchant_id: merchantId = null, network = null, coin = null } = c.req.valid('json')
    if (network !== null && coin !== null) findCoin(findNetwork(networks, network), coin)
    else if (network !== null) findNetwork(networks, network)
    if (merchantId !== null) await requireMerchant(sql, merchantId)
    const scope = { merchantId, network, coin }
    const placed = { ...scope, placedBy: 'operator', reason, actor: c.get('actor') } as const
    const { pause: row } = await repeatTransaction(sql, (tx) => placePause(tx, placed))
    await awaitSends(sql, scope)
    const kept = await inTransaction(sql, async (tx) => keepAnswer(c, tx, 200, success(await view(tx, row))))
    return c.json(kept, 200)
  })

  app.openapi(resume, async (c) => {
    const { id, reason } = c.req.valid('json')
    const required = environment.KEYTURN_OPERATOR_APPROVALS
    const kept = await inTransaction(sql, async (tx) => {
      const voted = await voteToResume(tx, {
        pauseId: id,
        voter: c.get('initiator'),
        reason,
        actor: c.get('actor'),
        required,
        expiryMs: environment.KEYTURN_CHANGE_EXPIRY,
      })
      return keepAnswer(c, tx, 200, success({ id, ...voted, required }))
    })
    return c.json(kept, 200)
  })
}

async function view(sql: Queryable, row: PauseRow): Promise<OperatorPause> {
  const { merchant_id: merchantId, network, coin } = row
  const sending = await countSends(sql, { merchantId, network, coin })
  return { ...viewPause(row), merchant_id: merchantId, sending }
}
