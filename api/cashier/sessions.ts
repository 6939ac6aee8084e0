/** Route by which a merchant sends a user to the cashier. */

import { createRoute } from '@hono/zod-openapi'
import { publicUrlOf } from '../../config/public-url.js'
import { createCashierSession } from '../../db/cashier/create-session.js'
import { requireEnabled } from '../../db/cashier/require-enabled.js'
import { inTransaction } from '../../db/connect.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import { CashierSession, NewCashierSession } from '../../wire/cashier.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { checkReturnUrl } from '../payments/check-return-url.js'
import { CASHIER_PATH } from './paths.js'

const create = createRoute({
  ...secured('payments'),
  method: 'post',
  path: '/cashier-sessions',
  summary: 'Make a link by which a user enters the cashier once, to deposit or to withdraw',
  description:
    'The link works once, for 60 seconds. The session does what its action says: one for a deposit reaches no withdrawal. A withdrawal that the user requests goes through every check and approval. The person or key that made the link may not approve it.',
  tags: ['Cashier'],
  request: { body: { required: true, content: { 'application/json': { schema: NewCashierSession } } } },
  responses: { 201: answer(CashierSession, 'Send the user to `url` at once') },
})

/** Registers `/cashier-sessions`. */
export function registerCashierSessionRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies
  const base = `${publicUrlOf(environment)}${CASHIER_PATH}`

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const merchantId = c.get('merchantId')
    if (body.return_url !== undefined) checkReturnUrl('return_url', body.return_url, environment)
    for (const { network, coin } of body.coins ?? []) findCoin(findNetwork(networks, network), coin)
    const kept = await inTransaction(sql, async (tx) => {
      await requireEnabled(tx, merchantId, body.coins ?? [])
      const session = await createCashierSession(tx, {
        merchantId,
        userReference: body.user_reference,
        action: body.action,
        coins: body.coins ?? null,
        language: body.language ?? null,
        returnUrl: body.return_url ?? null,
        apiKeyId: c.get('apiKeyId'),
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        linkOf: (token) => `${base}/enter/${token}`,
      })
      return keepAnswer(c, tx, 201, success(session))
    })
    return c.json(kept, 201)
  })
}
