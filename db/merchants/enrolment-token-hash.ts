/** Hashes enrolment tokens, which are stored only in this form. */

import { createHash } from 'node:crypto'

/** Returns the SHA-256 of a token's secret part. The platform's key after the dot is public and not part of it. */
export function enrolmentTokenHash(token: string): Buffer {
  return createHash('sha256')
    .update(token.split('.', 1)[0] ?? '')
    .digest()
}
