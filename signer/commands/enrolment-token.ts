/** Reads the one-time token with which a signer enrols. */

import { refuseEd25519Point } from '../../domain/signing/refuse-ed25519-key.js'
import { Failure } from '../failure.js'

/**
 * Form of a token: `ket_<random>.<platform key in base64url>`. The person who hands it over pins the
 * platform's key with it.
 */
const TOKEN = /^ket_[A-Za-z0-9_-]{16,}\.([A-Za-z0-9_-]{43})$/

/**
 * Returns the platform's Ed25519 public key inside a token, in base64.
 *
 * @throws Failure when the text is no such token.
 */
export function platformKeyOf(token: string): string {
  const key = TOKEN.exec(token)?.[1]
  if (!key) throw new Failure('The token is not an enrolment token (ket_….…); ask for a new one')
  const raw = Buffer.from(key, 'base64url')
  const reason = raw.toString('base64url') === key ? refuseEd25519Point(raw) : 'is not written canonically'
  if (reason !== null) throw new Failure(`The platform's key in the token ${reason}; ask for a new token`)
  return raw.toString('base64')
}
