/** Serves the cashier: pages on which a user of a merchant deposits or withdraws. */

import { Hono } from 'hono'
import { sessionRequired } from '../../db/cashier/make-once.js'
import type { ApiDependencies, ApiEnv } from '../context.js'
import { registerAsset } from '../pages/assets.js'
import { limitPages } from '../pages/limit-pages.js'
import { pageHeaders } from '../pages/page-headers.js'
import { refuseMethod, refusePath } from '../pages/show-errors.js'
import { createCounter } from './counter.js'
import { registerDeposit, showDeposit } from './deposit.js'
import { loadAgain, mayLoadAgain, registerEnter } from './enter.js'
import { CASHIER_SCRIPT } from './page.js'
import { ADDRESSES, CASHIER_PATH, CHECK, ENTER, WITHDRAWAL, WITHDRAWALS } from './paths.js'
import { readSession, requireSession } from './session.js'
import { showCashierErrors } from './show-errors.js'
import { registerWithdraw, showWithdraw } from './withdraw.js'

/** Registers the script of the pages. */
export function registerCashierAssets(app: Pick<Hono<ApiEnv>, 'get'>): void {
  registerAsset(app, CASHIER_SCRIPT)
}

/** Creates the router, with headers, limits and errors of its own. It accepts no API key. */
export function cashierRoutes(dependencies: ApiDependencies): Hono<ApiEnv> {
  const { sql, environment } = dependencies
  const counter = createCounter(dependencies)
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

  registerEnter(router, counter)
  router.get('/', async (c) => {
    const session = await readSession(c, sql)
    if (!session && mayLoadAgain(c)) return loadAgain(c, counter)
    if (!session) throw sessionRequired()
    return session.action === 'deposit'
      ? showDeposit(c, counter, session)
      : showWithdraw(c, counter, session, null)
  })
  // The address of a page that answered a form leads to the overview.
  for (const path of [ADDRESSES, WITHDRAWALS, CHECK]) {
    router.get(path, async (c) => {
      counter.languageFor(c, await requireSession(c, sql))
      return c.redirect(CASHIER_PATH, 303)
    })
  }
  registerDeposit(router, counter)
  registerWithdraw(router, counter)

  for (const path of [ADDRESSES, WITHDRAWALS, CHECK]) router.all(path, refuseMethod('GET, HEAD, POST'))
  for (const path of [ENTER, '/', WITHDRAWAL]) router.all(path, refuseMethod('GET, HEAD'))
  router.all('*', refusePath)
  return router
}
