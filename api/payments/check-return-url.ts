/** Checks the URL to which a payer or user goes back. */

import type { Environment } from '../../config/load-environment.js'
import { KeyturnError } from '../../domain/errors.js'

/**
 * Checks that a URL is absolute and https. Plain http is allowed to loopback, where webhooks may go there as
 * well.
 *
 * @param field - Name of the field, for the error.
 * @throws KeyturnError `VALIDATION_FAILED`.
 */
export function checkReturnUrl(field: string, text: string, environment: Environment): void {
  const reason = reasonAgainst(text, environment)
  if (reason === null) return
  throw new KeyturnError(
    'VALIDATION_FAILED',
    `Correct this in the body and send it again: ${field}: ${reason}`,
    {
      details: { in: 'body', fields: [{ path: field, reason }] },
    },
  )
}

function reasonAgainst(text: string, environment: Environment): string | null {
  // The parser would remove spaces and control characters silently.
  if (/[\s\p{Cc}]/u.test(text) || !URL.canParse(text)) return 'is no absolute URL'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'holds a user name or password'
  if (url.protocol === 'https:') return /^https:\/\//i.test(text) ? null : 'is no absolute URL'
  const loopback = url.protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  return loopback && environment.KEYTURN_WEBHOOK_ALLOW_HTTP ? null : 'is no https URL'
}
