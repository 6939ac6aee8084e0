/** Serves the checkout page: what a payer needs in order to pay. It needs no key and changes nothing. */

import { type Context, Hono } from 'hono'
import { findCheckout, readCheckout } from '../../db/payments/read-checkout.js'
import type { ApiDependencies, ApiEnv } from '../context.js'
import { parseRanges } from '../middleware/allow-ip.js'
import { senderOf } from '../middleware/guard-addresses.js'
import { COPY, openAsset, registerAsset } from '../pages/assets.js'
import { renderDocument } from '../pages/document.js'
import { html } from '../pages/html.js'
import { chooseLanguage, type Language } from '../pages/language.js'
import { limitPages } from '../pages/limit-pages.js'
import { pageHeaders } from '../pages/page-headers.js'
import { pageNotFound, refuseMethod, refusePath, showErrors } from '../pages/show-errors.js'
import { createLiveCheckouts, type LiveCheckouts } from './live.js'
import { renderHelp, renderMain } from './page.js'

/** Path of the page of a payment is `/checkout/{token}`. */
export const CHECKOUT_PATH = '/checkout'
/** Token of a payment. Another text costs no query. */
const TOKEN = /^[\w-]{22,64}$/

const script = openAsset(new URL('./browser/live-page.js', import.meta.url))

/** Registers the script of the page. */
export function registerCheckoutAssets(app: Pick<Hono<ApiEnv>, 'get'>): void {
  registerAsset(app, script)
}

/** Creates the live pages of a process. */
export function liveCheckouts({ sql, networks, environment, log }: ApiDependencies): LiveCheckouts {
  return createLiveCheckouts({
    sql,
    networks,
    log,
    most: environment.KEYTURN_LIVE_PAGES,
    mostPerSender: environment.KEYTURN_LIVE_PAGES_PER_ADDRESS,
  })
}

/** Creates the router, with headers, limit and errors of its own. */
export function checkoutRoutes(dependencies: ApiDependencies, live: LiveCheckouts): Hono<ApiEnv> {
  const { sql, networks, environment } = dependencies
  const proxies = parseRanges(environment.KEYTURN_TRUSTED_PROXIES)
  const router = new Hono<ApiEnv>()
  router.onError(showErrors)
  router.use(pageHeaders({ forms: false }))
  router.use(
    limitPages({
      perMinute: environment.KEYTURN_PAGE_RATE,
      trustedProxies: environment.KEYTURN_TRUSTED_PROXIES,
    }),
  )

  router.get('/:token', async (c) => {
    const token = c.req.param('token')
    const checkout = TOKEN.test(token) ? await readCheckout(sql, token) : null
    if (!checkout) throw pageNotFound()
    const language = languageOf(c)
    const { title, main } = renderMain(checkout, networks, language)
    c.header('Vary', 'Accept-Language')
    return c.html(
      renderDocument({
        language,
        title: html`${title} · ${checkout.merchant_name}`,
        name: checkout.merchant_name,
        colour: checkout.merchant_colour,
        scripts: [COPY.path, script.path],
        main,
        help: renderHelp(checkout, language),
      }),
    )
  })
  router.get('/:token/live', async (c) => {
    const token = c.req.param('token')
    const paymentId = TOKEN.test(token) ? await findCheckout(sql, token) : null
    if (paymentId === null) throw pageNotFound()
    c.header('Content-Type', 'text/event-stream; charset=utf-8')
    // nginx and its kin would collect events otherwise.
    c.header('X-Accel-Buffering', 'no')
    c.header('Cache-Control', 'no-store, no-transform')
    if (c.req.raw.method === 'HEAD') return c.body(null)
    return c.body(
      live.open({
        paymentId,
        language: languageOf(c),
        version: c.req.header('last-event-id') ?? c.req.query('version') ?? '',
        sender: senderOf(c, proxies),
      }),
    )
  })

  router.all('/:token', refuseMethod('GET, HEAD'))
  router.all('/:token/live', refuseMethod('GET, HEAD'))
  router.all('*', refusePath)
  return router
}

function languageOf(c: Context<ApiEnv>): Language {
  return chooseLanguage(c.req.query('lang'), c.req.header('accept-language'))
}
