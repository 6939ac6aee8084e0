/** Serves the cashier: pages on which a user of a merchant deposits or withdraws. */

import { type Context, Hono } from 'hono'
import { publicUrlOf } from '../../config/public-url.js'
import { getBalances } from '../../db/books/balances/get-balances.js'
import { listEnabled } from '../../db/cashier/list-enabled.js'
import { listOwnAddresses } from '../../db/cashier/list-own-addresses.js'
import { makeOnce, sessionRequired } from '../../db/cashier/make-once.js'
import { readTokenState, useCashierToken } from '../../db/cashier/use-token.js'
import { inTransaction } from '../../db/connect.js'
import { listWithdrawals } from '../../db/payouts/withdrawals/list-withdrawals.js'
import { readWithdrawalView, toWithdrawalView } from '../../db/payouts/withdrawals/read-withdrawal-view.js'
import { allocateAddress } from '../../db/wallets/allocate-address.js'
import { findNetwork } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { CashierAction } from '../../wire/cashier.js'
import type { ApiDependencies, ApiEnv } from '../context.js'
import { onceCompared } from '../deposits/once-compared.js'
import { clientAddress, parseRanges } from '../middleware/allow-ip.js'
import { createBuckets, rateLimited } from '../middleware/create-buckets.js'
import { registerAsset } from '../pages/assets.js'
import { renderDocument } from '../pages/document.js'
import { html } from '../pages/html.js'
import { inWords } from '../pages/in-words.js'
import { limitPages } from '../pages/limit-pages.js'
import { pageHeaders } from '../pages/page-headers.js'
import { pageNotFound, refuseMethod, refusePath } from '../pages/show-errors.js'
import { renderDeposit } from './deposit-page.js'
import { explainRefusal } from './explain-refusal.js'
import { formRefused, readForm, type SentForm } from './forms.js'
import { CASHIER_SCRIPT, offeredCoins, type View, viewOf } from './page.js'
import { keepSession, languageOf, readSession, requireSession, type Session } from './session.js'
import { CASHIER_PATH } from './sessions.js'
import { showCashierErrors } from './show-errors.js'
import {
  checkCashierWithdrawal,
  offeredCoin,
  requestCashierWithdrawal,
  type WithdrawalFields,
} from './withdrawal.js'
import {
  type Kept,
  renderConfirm,
  renderStatus,
  renderWithdraw,
  WITHDRAWALS_PATH,
} from './withdrawal-pages.js'
import { CASHIER_WORDS } from './words.js'

/** Token of a link. Another text costs no query. */
const TOKEN = /^[\w-]{43}$/
const WITHDRAWAL_ID = /^withdrawal_[0-9a-f]{32}$/
/** Withdrawals that the overview lists. */
const MOST_LISTED = 5
/** Forms that one user may send a minute. A script also sends checks while the user types. */
const PER_MINUTE = { act: 30, check: 120 } as const
/** Query field of a page that a cross-site link has loaded and that loads itself again. */
const AGAIN = 'again'

/** Registers the script of the pages. */
export function registerCashierAssets(app: Pick<Hono<ApiEnv>, 'get'>): void {
  registerAsset(app, CASHIER_SCRIPT)
}

/** Creates the router, with headers, limits and errors of its own. It accepts no API key. */
export function cashierRoutes(dependencies: ApiDependencies): Hono<ApiEnv> {
  const { sql, networks, environment } = dependencies
  const publicUrl = publicUrlOf(environment)
  const { origin } = new URL(publicUrl)
  const proxies = parseRanges(environment.KEYTURN_TRUSTED_PROXIES)
  const buckets = createBuckets()
  const router = new Hono<ApiEnv>()
  router.onError(showCashierErrors)
  router.use(pageHeaders({ forms: true }))
  router.use(async function keepOrigin(c, next) {
    // Under no-referrer a browser would send its forms with `Origin: null`. No address here has a secret,
    // but that of the link, which answers with a redirect.
    c.header('Referrer-Policy', 'same-origin')
    await next()
  })
  router.use(
    limitPages({
      perMinute: environment.KEYTURN_PAGE_RATE,
      trustedProxies: environment.KEYTURN_TRUSTED_PROXIES,
    }),
  )

  const ipOf = (c: Context<ApiEnv>) => clientAddress(c, proxies)?.toString() ?? null
  const enter = (c: Context<ApiEnv>, session: Session): View =>
    viewOf(session, languageOf(c, session, publicUrl))
  const offered = async (session: Session) =>
    offeredCoins(networks, session, await listEnabled(sql, session.merchant_id))

  /** Reads a form of a session that may do this. */
  async function readFormFor(
    c: Context<ApiEnv>,
    action: CashierAction,
    kind: keyof typeof PER_MINUTE = 'act',
  ): Promise<{ readonly session: Session; readonly sent: SentForm }> {
    const session = await requireSession(c, sql)
    const { merchant_id, user_reference } = session
    const perMinute = PER_MINUTE[kind]
    const seconds = buckets.take([kind, merchant_id, user_reference].join('\n'), perMinute)
    if (seconds > 0) throw rateLimited('Too many forms were sent', perMinute, seconds)
    const sent = await readForm(c, session, origin)
    if (session.action !== action) throw formRefused(`This session is not for a ${action}`)
    return { session, sent }
  }

  async function depositPage(c: Context<ApiEnv>, session: Session): Promise<Response> {
    const view = enter(c, session)
    const addresses = await listOwnAddresses(sql, session.merchant_id, session.user_reference)
    const chosen = { network: c.req.query('network'), coin: c.req.query('coin') }
    return c.html(renderDeposit(view, await offered(session), addresses, chosen))
  }

  async function withdrawPage(c: Context<ApiEnv>, session: Session, kept: Kept | null): Promise<Response> {
    const { merchant_id: merchantId, user_reference: userReference } = session
    const view = enter(c, session)
    const balances = await getBalances(sql, { merchantId, userReference })
    const rows = await listWithdrawals(
      sql,
      merchantId,
      { userReference },
      { before: null, offset: 0, take: MOST_LISTED },
    )
    const latest = rows.map((row) => toWithdrawalView(networks, row))
    const page = renderWithdraw(view, await offered(session), balances, latest, kept)
    return c.html(page, kept?.refusal ? 422 : 200)
  }

  /** Shows the form again with what is wrong in it. Other errors go on to the page of errors. */
  function refuse(c: Context<ApiEnv>, session: Session, fields: WithdrawalFields, error: unknown) {
    const words = CASHIER_WORDS[languageOf(c, session, publicUrl)]
    const refusal = explainRefusal(error, words, fields, inWords(fields.network))
    if (!refusal) throw error
    return withdrawPage(c, session, { fields, refusal })
  }

  router.get('/enter/:token', async (c) => {
    const token = c.req.param('token')
    const known = TOKEN.test(token)
    if (c.req.method === 'HEAD') {
      const state = known ? await readTokenState(sql, token) : 'unknown'
      if (state === 'unknown') throw pageNotFound()
      if (state === 'gone') throw linkUsed()
      return c.redirect(CASHIER_PATH, 303)
    }
    const used = known ? await useCashierToken(sql, token) : ({ state: 'unknown' } as const)
    if (used.state === 'unknown') throw pageNotFound()
    if (used.state === 'gone') throw linkUsed()
    keepSession(c, used, publicUrl)
    return c.redirect(CASHIER_PATH, 303)
  })

  router.get('/', async (c) => {
    const session = await readSession(c, sql)
    if (!session && c.req.header('sec-fetch-site') !== 'same-origin' && c.req.query(AGAIN) === undefined) {
      return c.html(loadAgain(c, publicUrl), 401)
    }
    if (!session) throw sessionRequired()
    return session.action === 'deposit' ? depositPage(c, session) : withdrawPage(c, session, null)
  })

  router.post('/addresses', async (c) => {
    const { session, sent } = await readFormFor(c, 'deposit')
    const network = findNetwork(networks, sent.field('network'))
    const coins = await offered(session)
    if (!coins.some((each) => each.network === network)) {
      throw new KeyturnError('RAIL_NOT_ENABLED', `This session does not offer ${network.name}`)
    }
    await onceCompared(() =>
      inTransaction(sql, (tx) =>
        makeOnce(tx, session.id, sent.form, async () => {
          const { address } = await allocateAddress(tx, {
            merchantId: session.merchant_id,
            network,
            userReference: session.user_reference,
            label: null,
            fresh: sent.field('new') === 'true',
          })
          return address.id
        }),
      ),
    )
    const chosen = new URLSearchParams({ network: network.name, coin: sent.field('coin') })
    return c.redirect(`${CASHIER_PATH}?${chosen}`, 303)
  })

  router.post('/withdrawals/check', async (c) => {
    const { session, sent } = await readFormFor(c, 'withdrawal', 'check')
    const fields = toFields(sent)
    if (sent.field('edit') === 'true') return withdrawPage(c, session, { fields, refusal: null })
    try {
      const row = await checkCashierWithdrawal(dependencies, session, fields, ipOf(c))
      return c.html(renderConfirm(enter(c, session), offeredCoin(dependencies, session, fields), fields, row))
    } catch (error) {
      return refuse(c, session, fields, error)
    }
  })

  router.post('/withdrawals', async (c) => {
    const { session, sent } = await readFormFor(c, 'withdrawal')
    const fields = toFields(sent)
    try {
      const id = await requestCashierWithdrawal(dependencies, session, fields, ipOf(c), sent.form)
      return c.redirect(`${WITHDRAWALS_PATH}/${id}`, 303)
    } catch (error) {
      return refuse(c, session, fields, error)
    }
  })

  // A page that answered a form has links to itself, which lead to the overview.
  for (const path of ['/addresses', '/withdrawals', '/withdrawals/check']) {
    router.get(path, async (c) => {
      languageOf(c, await requireSession(c, sql), publicUrl)
      return c.redirect(CASHIER_PATH, 303)
    })
  }

  router.get('/withdrawals/:id', async (c) => {
    const session = await requireSession(c, sql)
    const id = c.req.param('id')
    const withdrawal = WITHDRAWAL_ID.test(id)
      ? await readWithdrawalView(sql, networks, id, session.merchant_id)
      : null
    const isOwn = withdrawal?.user_reference === session.user_reference && session.action === 'withdrawal'
    if (!withdrawal || !isOwn) throw pageNotFound()
    return c.html(renderStatus(enter(c, session), withdrawal))
  })

  for (const path of [
    '/enter/:token',
    '/',
    '/addresses',
    '/withdrawals',
    '/withdrawals/check',
    '/withdrawals/:id',
  ]) {
    router.all(path, refuseMethod)
  }
  router.all('*', refusePath)
  return router
}

/**
 * Renders the page that loads itself again. A browser that follows a link of another site sends no strict
 * cookie to the page after the redirect, but does when our own page loads itself.
 */
function loadAgain(c: Context<ApiEnv>, publicUrl: string): string {
  const language = languageOf(c, null, publicUrl)
  const words = CASHIER_WORDS[language]
  const target = `${CASHIER_PATH}?${AGAIN}`
  const main = html`<main><meta http-equiv="refresh" content="0; url=${target}"><h1>${words.entering}</h1>
<p>${words.entering_text}</p><p><a class="button" href="${target}">${words.enter}</a></p></main>`
  return renderDocument({ language, title: words.entering, name: null, colour: null, scripts: [], main })
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

function linkUsed(): KeyturnError {
  return new KeyturnError(
    'CASHIER_LINK_USED',
    'This link was used or has expired. Go back and open the cashier again',
  )
}
