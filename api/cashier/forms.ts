/** Makes and checks the tokens of forms, and reads the forms that browsers send. */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Context } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import type { Session } from './session.js'

const RANDOM_BYTES = 16
const TOKEN = /^([\w-]{22})\.([\w-]{43})$/
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;|$)/i
/** Longest body of a form, in bytes. */
const MOST_BYTES = 16_384

/** Form that a user sent. */
export interface SentForm {
  /** Random part of its token, by which a form that is sent twice is recognised. */
  readonly form: string
  /** Returns a field, without white space around it. An absent one is empty. */
  field(name: string): string
}

/** Returns a new token. Only this session accepts it, because its key is the secret of the session's cookie. */
export function formToken({ secret }: Pick<Session, 'secret'>): string {
  const random = randomBytes(RANDOM_BYTES).toString('base64url')
  return `${random}.${signatureOf(secret, random)}`
}

/**
 * Reads a form of a session.
 *
 * @param origin - Origin of the cashier. A form of another site is refused.
 * @throws KeyturnError `FORM_REFUSED`, `UNSUPPORTED_MEDIA_TYPE` or `BODY_TOO_LARGE`.
 */
export async function readForm(c: Context<ApiEnv>, session: Session, origin: string): Promise<SentForm> {
  if (c.req.header('origin') !== origin) throw formRefused('The form was sent by another site')
  if (!FORM_TYPE.test(c.req.header('content-type') ?? '')) {
    throw new KeyturnError('UNSUPPORTED_MEDIA_TYPE', 'Send the form as application/x-www-form-urlencoded')
  }
  const fields = new URLSearchParams(await readText(c))
  const [, random = '', signature = ''] = TOKEN.exec(fields.get('token') ?? '') ?? []
  const expected = Buffer.from(signatureOf(session.secret, random))
  const sent = Buffer.from(signature)
  if (sent.length !== expected.length || !timingSafeEqual(sent, expected)) {
    throw formRefused('The form belongs to another session')
  }
  return { form: random, field: (name) => (fields.get(name) ?? '').trim() }
}

/** Creates the error for a form that is not accepted. */
export function formRefused(reason: string): KeyturnError {
  return new KeyturnError('FORM_REFUSED', `${reason}. Open the page again`)
}

async function readText(c: Context<ApiEnv>): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > MOST_BYTES) throw new KeyturnError('BODY_TOO_LARGE', 'The form is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function signatureOf(secret: string, random: string): string {
  return createHmac('sha256', secret).update(`keyturn-cashier-form-v1\n${random}`).digest('base64url')
}
