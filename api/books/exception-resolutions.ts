/** Route that resolves an exception: alone, by a journal that two people approve, or by a refund. */

import { createRoute, z } from '@hono/zod-openapi'
import { lockException } from '../../db/books/exceptions/change-exception.js'
import { endExpiredProposals } from '../../db/books/exceptions/end-expired-proposals.js'
import { proposeResolution, type ResolutionProposal } from '../../db/books/exceptions/propose-resolution.js'
import { toWithdrawalStart } from '../../db/payouts/read-withdrawal-input.js'
import { refundException } from '../../db/payouts/withdrawals/refund-exception.js'
import { repeatTransaction } from '../../db/repeat-transaction.js'
import { findCoin, findNetwork, type Networks } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { ExceptionDecision, ExceptionWithHistory } from '../../wire/exception.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { originOf, positiveAmount } from '../payouts/withdrawal-request.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'
import { startWithdrawalSoon } from '../start/start-withdrawal-soon.js'
import { actorOf } from './actor-of.js'
import { resolveWithout } from './exception-decisions.js'
import { readException } from './exceptions.js'
import { FINANCE_ONLY, requireFinance, securedForFinance } from './require-finance.js'

type Decision = z.output<typeof ExceptionDecision>
type ByJournal = Extract<Decision, { resolution: 'credit' | 're_attribute' | 'write_off' }>

const resolve = createRoute({
  ...securedForFinance(),
  method: 'post',
  path: '/exceptions/{id}/resolve',
  summary: 'Resolve an exception',
  description: `${FINANCE_ONLY} \`none\` resolves it at once. \`credit\`, \`re_attribute\` and \`write_off\` wait for the approvals of two people who did not propose them; the \`credit\` of coins that came without a transaction books these coins; \`refund\` makes a withdrawal and resolves the exception when it is confirmed.`,
  tags: ['Exceptions'],
  request: {
    params: z.object({ id: z.string().max(255) }),
    body: { required: true, content: { 'application/json': { schema: ExceptionDecision } } },
  },
  responses: {
    200: answer(ExceptionWithHistory, 'Resolved'),
    202: answer(ExceptionWithHistory, 'Waits for two approvals, or for its withdrawal'),
  },
})

/** Registers `/exceptions/{id}/resolve`. */
export function registerExceptionResolutionRoute(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(resolve, async (c) => {
    const { id } = c.req.valid('param')
    const body = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const actor = actorOf(c)
    const done = await repeatTransaction(sql, async (tx) => {
      await requireFinance(c, tx)
      const keep = async (status: 200 | 202, approval?: ExceptionWithHistory['approval']) => {
        const view = await readException(tx, merchantId, id)
        return keepAnswer(c, tx, status, success(approval === undefined ? view : { ...view, approval }))
      }
      switch (body.resolution) {
        case 'none': {
          await endExpiredProposals(tx, merchantId, [id])
          await resolveWithout(tx, await lockException(tx, merchantId, id), body, actor)
          return { kept: await keep(200), start: null }
        }
        case 'refund': {
          const { view, row } = await refundException(tx, networks, {
            ...actor,
            merchantId,
            id,
            toAddress: addressOf(body),
            comment: body.comment,
            rootCause: body.root_cause ?? null,
            ...originOf(dependencies, c.get('clientIp')),
            expiryMs: environment.KEYTURN_WITHDRAWAL_EXPIRY,
            screen: environment.KEYTURN_WITHDRAWAL_SCREENING_URL !== undefined,
          })
          const approval = {
            path: `/withdrawals/${row.id}`,
            intent_hash: row.intent_hash,
            required: view.required_approvals,
            expires_at: row.expires_at.toISOString(),
          }
          const start = () =>
            startWithdrawalSoon(dependencies, row.id, null, toWithdrawalStart(networks, row))
          return { kept: await keep(202, approval), start }
        }
        default: {
          const request = await proposeResolution(tx, {
            ...actor,
            merchantId,
            id,
            ...journalOf(networks, body),
            rootCause: body.root_cause ?? null,
            expiryMs: environment.KEYTURN_CHANGE_EXPIRY,
          })
          return { kept: await keep(202), start: () => startControlChangeSoon(dependencies, request) }
        }
      }
    })
    done.start?.()
    return done.start === null ? c.json(done.kept, 200) : c.json(done.kept, 202)
  })
}

function addressOf(body: Extract<Decision, { resolution: 'refund' }>): string {
  const address = body.to_address ?? body.journal?.to_address
  if (address !== undefined) return address
  throw new KeyturnError('VALIDATION_FAILED', 'A refund needs the address that it pays: send to_address', {
    details: { in: 'body', fields: [{ path: 'to_address', reason: 'is required' }] },
  })
}

function journalOf(
  networks: Networks,
  body: ByJournal,
): Pick<
  ResolutionProposal,
  'resolution' | 'network' | 'coin' | 'amount' | 'from' | 'to' | 'addressId' | 'comment'
> {
  const { journal, resolution, comment } = body
  const network = findNetwork(networks, journal.network)
  const coin = findCoin(network, journal.coin)
  const asset = { resolution, comment, network, coin, amount: positiveAmount(journal.amount, coin.decimals) }
  return 'address_id' in journal
    ? { ...asset, from: null, to: null, addressId: journal.address_id }
    : { ...asset, from: journal.from_user_reference, to: journal.to_user_reference, addressId: null }
}
