/** Serves the link by which a user enters the cashier, once. */

import type { Context, Hono } from 'hono'
import { readTokenState, useCashierToken } from '../../db/cashier/use-token.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { renderDocument } from '../pages/document.js'
import { html } from '../pages/html.js'
import { pageNotFound } from '../pages/show-errors.js'
import type { Counter } from './counter.js'
import { CASHIER_PATH, ENTER } from './paths.js'
import { keepSession } from './session.js'
import { CASHIER_WORDS } from './words.js'

/** Token of a link. Another text costs no query. */
const TOKEN = /^[\w-]{43}$/
/** Query field of a page that a cross-site link has loaded and that loads itself again. */
const AGAIN = 'again'

/** Registers the link. GET uses its token up, and HEAD does not. */
export function registerEnter(router: Hono<ApiEnv>, { dependencies, publicUrl }: Counter): void {
  const { sql } = dependencies

  router.get(ENTER, async (c) => {
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
}

/**
 * Whether a request without a cookie may come with one when the page loads itself: a browser that follows a
 * link of another site sends no strict cookie to the page after the redirect.
 */
export function mayLoadAgain(c: Context<ApiEnv>): boolean {
  return c.req.header('sec-fetch-site') !== 'same-origin' && c.req.query(AGAIN) === undefined
}

/** Answers with the page that loads itself again. */
export function loadAgain(c: Context<ApiEnv>, counter: Counter): Response | Promise<Response> {
  const language = counter.languageFor(c, null)
  const words = CASHIER_WORDS[language]
  const target = `${CASHIER_PATH}?${AGAIN}`
  const main = html`<main><meta http-equiv="refresh" content="0; url=${target}"><h1>${words.entering}</h1>
<p>${words.entering_text}</p><p><a class="button" href="${target}">${words.enter}</a></p></main>`
  return c.html(
    renderDocument({ language, title: words.entering, name: null, colour: null, scripts: [], main }),
    401,
  )
}

function linkUsed(): KeyturnError {
  return new KeyturnError(
    'CASHIER_LINK_USED',
    'This link was used or has expired. Go back and open the cashier again',
  )
}
