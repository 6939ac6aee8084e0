/** Makes what a form asks for, once, however often the form is sent. */

import { KeyturnError } from '../../domain/errors.js'
import type { Transaction } from '../connect.js'

/**
 * Runs `make` for a form that was not sent before, in the caller's transaction. The lock of the session puts
 * its forms in a row.
 *
 * @param form - Random part of the form's token.
 * @param make - Makes it and returns its id.
 * @returns The id of what the form made, now or the first time.
 * @throws KeyturnError `CASHIER_SESSION_REQUIRED` if the session ended meanwhile.
 */
export async function makeOnce(
  tx: Transaction,
  sessionId: string,
  form: string,
  make: () => Promise<string>,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const [open] = await tx`
    SELECT 1 FROM cashier_sessions WHERE id = ${sessionId} AND expires_at > clock_timestamp() FOR UPDATE`
  if (!open) throw sessionRequired()
  const [before] = await tx<{ made: string }[]>`
    SELECT made FROM cashier_forms WHERE session_id = ${sessionId} AND form = ${form}`
  if (before) return { id: before.made, isNew: false }
  const id = await make()
  await tx`INSERT INTO cashier_forms (session_id, form, made) VALUES (${sessionId}, ${form}, ${id})`
  return { id, isNew: true }
}

/** Creates the error for a request without a session. */
export function sessionRequired(): KeyturnError {
  return new KeyturnError(
    'CASHIER_SESSION_REQUIRED',
    'There is no session, or it has ended. Go back and open the cashier again',
  )
}
