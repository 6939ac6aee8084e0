/** Serves the pages of a session for a withdrawal: the form, its check, the request and the status. */

import type { Context, Hono } from 'hono'
import { getBalances } from '../../db/books/balances/get-balances.js'
import { listWithdrawals } from '../../db/payouts/withdrawals/list-withdrawals.js'
import { readWithdrawalView, toWithdrawalView } from '../../db/payouts/withdrawals/read-withdrawal-view.js'
import type { ApiEnv } from '../context.js'
import { inWords } from '../pages/in-words.js'
import { pageNotFound } from '../pages/show-errors.js'
import type { Counter } from './counter.js'
import { explainRefusal } from './explain-refusal.js'
import type { SentForm } from './forms.js'
import { CASHIER_PATH, CHECK, WITHDRAWAL, WITHDRAWALS } from './paths.js'
import { requireSession, type Session } from './session.js'
import {
  checkCashierWithdrawal,
  offeredCoin,
  requestCashierWithdrawal,
  type WithdrawalFields,
} from './withdrawal.js'
import { type Kept, renderConfirm, renderStatus, renderWithdraw } from './withdrawal-pages.js'
import { CASHIER_WORDS } from './words.js'

const WITHDRAWAL_ID = /^withdrawal_[0-9a-f]{32}$/
/** Withdrawals that the overview lists. */
const MOST_LISTED = 5

/** Answers with the form of each coin. @param kept - Form that comes back to the user. `null` for empty ones. */
export async function showWithdraw(
  c: Context<ApiEnv>,
  counter: Counter,
  session: Session,
  kept: Kept | null,
): Promise<Response> {
  const { sql, networks } = counter.dependencies
  const { merchant_id: merchantId, user_reference: userReference } = session
  const view = counter.viewFor(c, session)
  const balances = await getBalances(sql, { merchantId, userReference })
  const rows = await listWithdrawals(
    sql,
    merchantId,
    { userReference },
    { before: null, offset: 0, take: MOST_LISTED },
  )
  const latest = rows.map((row) => toWithdrawalView(networks, row))
  const page = renderWithdraw(view, await counter.offeredTo(session), balances, latest, kept)
  return c.html(page, kept?.refusal ? 422 : 200)
}

/** Registers the forms and the page of a withdrawal. */
export function registerWithdraw(router: Hono<ApiEnv>, counter: Counter): void {
  const { dependencies } = counter
  const { sql, networks } = dependencies

  /** Shows the form again with what is wrong in it. Other errors go on to the page of errors. */
  function refuse(c: Context<ApiEnv>, session: Session, fields: WithdrawalFields, error: unknown) {
    const words = CASHIER_WORDS[counter.languageFor(c, session)]
    const refusal = explainRefusal(error, words, fields, inWords(fields.network))
    if (!refusal) throw error
    return showWithdraw(c, counter, session, { fields, refusal })
  }

  router.post(CHECK, async (c) => {
    const { session, sent } = await counter.readFormFor(c, 'withdrawal', 'check')
    const fields = toFields(sent)
    try {
      const row = await checkCashierWithdrawal(dependencies, session, fields, counter.ipOf(c))
      if (sent.field('edit') !== 'true') {
        const offered = offeredCoin(dependencies, session, fields)
        return c.html(renderConfirm(counter.viewFor(c, session), offered, fields, row))
      }
    } catch (error) {
      return refuse(c, session, fields, error)
    }
    return showWithdraw(c, counter, session, { fields, refusal: null })
  })

  router.post(WITHDRAWALS, async (c) => {
    const { session, sent } = await counter.readFormFor(c, 'withdrawal')
    const fields = toFields(sent)
    try {
      const id = await requestCashierWithdrawal(dependencies, session, fields, counter.ipOf(c), sent.form)
      return c.redirect(`${CASHIER_PATH}${WITHDRAWALS}/${id}`, 303)
    } catch (error) {
      return refuse(c, session, fields, error)
    }
  })

  router.get(WITHDRAWAL, async (c) => {
    const session = await requireSession(c, sql)
    const id = c.req.param('id')
    const withdrawal = WITHDRAWAL_ID.test(id)
      ? await readWithdrawalView(sql, networks, id, session.merchant_id)
      : null
    const isOwn = withdrawal?.user_reference === session.user_reference && session.action === 'withdrawal'
    if (!withdrawal || !isOwn) throw pageNotFound()
    return c.html(renderStatus(counter.viewFor(c, session), withdrawal))
  })
}

function toFields(sent: SentForm): WithdrawalFields {
  return {
    network: sent.field('network'),
    coin: sent.field('coin'),
    amount: sent.field('amount'),
    to_address: sent.field('to_address'),
    deduct: sent.field('deduct') === 'true',
  }
}
