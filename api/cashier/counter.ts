/** What the routes of the cashier share: sessions, forms and the limits of a user. */

import type { Context } from 'hono'
import { publicUrlOf } from '../../config/public-url.js'
import { listEnabled } from '../../db/cashier/list-enabled.js'
import type { CashierAction } from '../../wire/cashier.js'
import type { ApiDependencies, ApiEnv } from '../context.js'
import { clientAddress, parseRanges } from '../middleware/allow-ip.js'
import { createBuckets, rateLimited } from '../middleware/create-buckets.js'
import type { Language } from '../pages/language.js'
import { formRefused, readForm, type SentForm } from './forms.js'
import { type OfferedCoin, offeredCoins, type View, viewOf } from './page.js'
import { languageOf, requireSession, type Session } from './session.js'

/** Forms that one user may send a minute. A script also sends checks while the user types. */
const PER_MINUTE = { act: 30, check: 120 } as const

export interface Counter {
  readonly dependencies: ApiDependencies
  /** Address of the platform in the browser. */
  readonly publicUrl: string
  /** Returns what each page of a session needs. */
  viewFor(c: Context<ApiEnv>, session: Session): View
  languageFor(c: Context<ApiEnv>, session: Session | null): Language
  /** Returns the coins that a session offers and its merchant has enabled. */
  offeredTo(session: Session): Promise<readonly OfferedCoin[]>
  /**
   * Reads a form of a session for this action.
   *
   * @throws KeyturnError `CASHIER_SESSION_REQUIRED`, `RATE_LIMITED` or one of `readForm`; `FORM_REFUSED` if the
   *   session is for the other action.
   */
  readFormFor(
    c: Context<ApiEnv>,
    action: CashierAction,
    kind?: keyof typeof PER_MINUTE,
  ): Promise<{ readonly session: Session; readonly sent: SentForm }>
  /** Returns the user's address on the internet. `null` if there is none. */
  ipOf(c: Context<ApiEnv>): string | null
}

/** Creates it, with buckets of its own for the limits. */
export function createCounter(dependencies: ApiDependencies): Counter {
  const { sql, networks, environment } = dependencies
  const publicUrl = publicUrlOf(environment)
  const { origin } = new URL(publicUrl)
  const proxies = parseRanges(environment.KEYTURN_TRUSTED_PROXIES)
  const buckets = createBuckets()
  return {
    dependencies,
    publicUrl,
    viewFor: (c, session) => viewOf(session, languageOf(c, session, publicUrl)),
    languageFor: (c, session) => languageOf(c, session, publicUrl),
    offeredTo: async (session) =>
      offeredCoins(networks, session, await listEnabled(sql, session.merchant_id)),
    async readFormFor(c, action, kind = 'act') {
      const session = await requireSession(c, sql)
      const { merchant_id, user_reference } = session
      const perMinute = PER_MINUTE[kind]
      const seconds = buckets.take([kind, merchant_id, user_reference].join('\n'), perMinute)
      if (seconds > 0) throw rateLimited('Too many forms were sent', perMinute, seconds)
      const sent = await readForm(c, session, origin)
      if (session.action !== action) throw formRefused(`This session is not for a ${action}`)
      return { session, sent }
    },
    ipOf: (c) => clientAddress(c, proxies)?.toString() ?? null,
  }
}
