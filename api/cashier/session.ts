/** Keeps the session of a user in a cookie, and chooses the language of their pages. */

import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { findCashierSession, type SessionRow } from '../../db/cashier/find-session.js'
import { sessionRequired } from '../../db/cashier/make-once.js'
import { SESSION_LIFE_SECONDS, type UsedToken } from '../../db/cashier/use-token.js'
import type { Sql } from '../../db/connect.js'
import type { ApiEnv } from '../context.js'
import { chooseLanguage, type Language } from '../pages/language.js'
import { CASHIER_PATH } from './paths.js'

const COOKIE = 'keyturn_cashier'
const LANGUAGE_COOKIE = 'keyturn_cashier_language'
/** Id of a session and its secret. Another text costs no query. */
const VALUE = /^(csh_[0-9a-f]{32})\.([\w-]{43})$/

/** Session with the secret that only its user's browser has. */
export interface Session extends SessionRow {
  readonly secret: string
}

/** Sets the cookie of a session that has begun. @param publicUrl - Plain http has no secure cookies. */
export function keepSession(
  c: Context<ApiEnv>,
  { sessionId, secret }: Extract<UsedToken, { state: 'used' }>,
  publicUrl: string,
): void {
  setCookie(c, COOKIE, `${sessionId}.${secret}`, {
    ...cookieRules(publicUrl),
    httpOnly: true,
    maxAge: SESSION_LIFE_SECONDS,
  })
}

/** Returns the session of the request. `null` without one. */
export async function readSession(c: Context<ApiEnv>, sql: Sql): Promise<Session | null> {
  const [, id, secret] = VALUE.exec(getCookie(c, COOKIE) ?? '') ?? []
  if (id === undefined || secret === undefined) return null
  const row = await findCashierSession(sql, id, secret)
  return row && { ...row, secret }
}

/** Returns the session of the request. @throws KeyturnError `CASHIER_SESSION_REQUIRED`. */
export async function requireSession(c: Context<ApiEnv>, sql: Sql): Promise<Session> {
  const session = await readSession(c, sql)
  if (!session) throw sessionRequired()
  return session
}

/**
 * Returns the language of a page: what the user chose by `?lang=`, now or before in this session, else what
 * the merchant asked for, else that of the browser.
 */
export function languageOf(
  c: Context<ApiEnv>,
  session: Pick<SessionRow, 'language'> | null,
  publicUrl: string,
): Language {
  const asked = c.req.query('lang')
  const browser = c.req.header('accept-language')
  const language = chooseLanguage(asked, getCookie(c, LANGUAGE_COOKIE) ?? session?.language ?? browser)
  if (asked !== undefined && session) {
    setCookie(c, LANGUAGE_COOKIE, language, {
      ...cookieRules(publicUrl),
      httpOnly: true,
      maxAge: SESSION_LIFE_SECONDS,
    })
  }
  c.header('Vary', 'Accept-Language, Cookie')
  return language
}

function cookieRules(publicUrl: string) {
  return { path: CASHIER_PATH, sameSite: 'Strict', secure: !publicUrl.startsWith('http:') } as const
}
