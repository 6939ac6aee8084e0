/** How enrolment tokens are kept. */

import { createHash } from 'node:crypto'

/** SHA-256 of the secret part of an enrolment token; the platform's key behind the dot is public and not part of it. */
export function enrolmentTokenHash(token: string): Buffer {
  return createHash('sha256')
    .update(token.split('.', 1)[0] ?? '')
    .digest()
}
