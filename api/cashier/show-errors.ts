/** Shows the errors of the cashier as pages, in the user's language. */

import type { ErrorHandler } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { publicUrlOf } from '../../config/public-url.js'
import type { ErrorCode } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { toKeyturnError } from '../http/map-error.js'
import { renderDocument } from '../pages/document.js'
import { html } from '../pages/html.js'
import { showErrors } from '../pages/show-errors.js'
import { CASHIER_PATH } from './paths.js'
import { languageOf } from './session.js'
import type { CashierWords } from './words/en.js'
import { CASHIER_WORDS } from './words.js'

/** Errors that the cashier explains itself: headline, text, and whether the overview can be opened again. */
const EXPLAINED: Partial<
  Record<ErrorCode, readonly [keyof CashierWords, keyof CashierWords, overview: boolean]>
> = {
  CASHIER_SESSION_REQUIRED: ['no_session', 'no_session_text', false],
  CASHIER_LINK_USED: ['used', 'used_text', false],
  FORM_REFUSED: ['refused', 'refused_text', true],
  IDEMPOTENCY_CONFLICT: ['conflict', 'conflict_text', true],
}

/** Renders an error. Other pages share the texts of errors that are not of the cashier alone. */
export const showCashierErrors: ErrorHandler<ApiEnv> = (thrown, c) => {
  const error = toKeyturnError(thrown)
  const refusal = error.status === 409 || error.status === 422
  const explained = EXPLAINED[error.code] ?? (refusal ? (['busy', 'busy_text', true] as const) : null)
  if (!explained) return showErrors(thrown, c)
  const [title, text, overview] = explained
  const language = languageOf(c, null, publicUrlOf(c.get('dependencies').environment))
  const words = CASHIER_WORDS[language]
  const main = html`<main><h1>${words[title]}</h1><p>${words[text]}</p>
${overview && html`<p><a class="button" href="${CASHIER_PATH}">${words.once_more}</a></p>`}</main>`
  return c.html(
    renderDocument({ language, title: words[title], name: null, colour: null, scripts: [], main }),
    error.status as ContentfulStatusCode,
  )
}
