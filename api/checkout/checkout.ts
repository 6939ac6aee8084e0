/** Serves the checkout page: what a payer needs in order to pay. It needs no key and changes nothing. */

import { Hono } from 'hono'
import { readCheckout } from '../../db/payments/read-checkout.js'
import type { ApiDependencies, ApiEnv } from '../context.js'
import { openAsset, registerAsset } from '../pages/assets.js'
import { renderDocument } from '../pages/document.js'
import { html } from '../pages/html.js'
import { chooseLanguage } from '../pages/language.js'
import { limitPages } from '../pages/limit-pages.js'
import { pageHeaders } from '../pages/page-headers.js'
import { pageNotFound, refuseMethod, refusePath, showErrors } from '../pages/show-errors.js'
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

/** Creates the router, with headers, limit and errors of its own. */
export function checkoutRoutes({ sql, networks, environment }: ApiDependencies): Hono<ApiEnv> {
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
    const language = chooseLanguage(c.req.query('lang'), c.req.header('accept-language'))
    const { title, main } = renderMain(checkout, networks, language)
    c.header('Vary', 'Accept-Language')
    return c.html(
      renderDocument({
        language,
        title: html`${title} · ${checkout.merchant_name}`,
        name: checkout.merchant_name,
        colour: checkout.merchant_colour,
        script: script.path,
        main,
        help: renderHelp(checkout, language),
      }),
    )
  })
  router.all('/:token', refuseMethod)
  router.all('*', refusePath)
  return router
}
