/** Shows errors as pages, for routes that people open. */

import type { ErrorHandler, Handler } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { toKeyturnError } from '../http/map-error.js'
import { renderDocument } from './document.js'
import { html } from './html.js'
import { chooseLanguage } from './language.js'
import { PAGE_WORDS } from './words.js'

/** `Retry-After` of an answer while PostgreSQL is away. */
const RETRY_AFTER_SECONDS = 2

/** Renders an error of a page's route. The log has the cause of an unexpected one, and the page its request id. */
export const showErrors: ErrorHandler<ApiEnv> = (thrown, c) => {
  const error = toKeyturnError(thrown)
  const requestId = c.get('requestId')
  if (error.status >= 500) {
    // The path holds the token of the page, so the log names the route alone.
    c.get('dependencies').log.error({ err: thrown, requestId }, 'page failed')
  }
  const retryAfter =
    error.details.retry_after ?? (error.code === 'DEPENDENCY_UNAVAILABLE' ? RETRY_AFTER_SECONDS : undefined)
  if (retryAfter !== undefined) c.header('Retry-After', String(retryAfter))
  if (error.code === 'METHOD_NOT_ALLOWED') c.header('Allow', String(error.details.allow))
  const language = chooseLanguage(c.req.query('lang'), c.req.header('accept-language'))
  const words = PAGE_WORDS[language]
  const [title, text] =
    error.status === 404
      ? [words.not_found, words.not_found_text]
      : error.status === 405
        ? [words.not_allowed, words.not_allowed_text]
        : error.status === 429
          ? [words.too_many, words.too_many_text]
          : [words.failed, words.failed_text]
  const main = html`<main><h1>${title}</h1><p>${text}</p>${error.status >= 500 && html`<p><code>${requestId}</code></p>`}</main>`
  c.header('Vary', 'Accept-Language')
  return c.html(
    renderDocument({ language, title, name: null, colour: null, scripts: [], main }),
    error.status as ContentfulStatusCode,
  )
}

/** Refuses each method that no earlier route of the path took. @param allow - Methods that one took. */
export function refuseMethod(allow: 'GET, HEAD' | 'GET, HEAD, POST'): Handler<ApiEnv> {
  return (c) => {
    throw new KeyturnError(
      'METHOD_NOT_ALLOWED',
      `This page does not accept ${c.req.method}. Use one of ${allow}`,
      { details: { allow } },
    )
  }
}

/** Refuses a path that is no page. */
export const refusePath: Handler<ApiEnv> = () => {
  throw pageNotFound()
}

/** Creates the error for a page that does not exist. */
export function pageNotFound(): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such page; check the link')
}
