/** The one-time token with which a signer enrols. */

import { Failure } from '../failure.js'

/** `ket_<random>.<platform key in base64url>`: whoever hands the token over pins the platform's key with it. */
const TOKEN = /^ket_[A-Za-z0-9_-]{16,}\.([A-Za-z0-9_-]{43})$/

/** The platform's Ed25519 public key inside a token, in base64. @throws Failure when it is no such token. */
export function platformKeyOf(token: string): string {
  const key = TOKEN.exec(token)?.[1]
  if (!key) throw new Failure('The token is not an enrolment token (ket_….…); ask for a new one')
  return Buffer.from(key, 'base64url').toString('base64')
}
