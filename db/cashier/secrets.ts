/** Makes the secrets of a session, of which the database has hashes alone. */

import { createHash, randomBytes } from 'node:crypto'

const SECRET_BYTES = 32

/** Returns 256 random bits as text that URLs and cookies carry unchanged. */
export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url')
}

/** Returns the SHA-256 of a secret. The secret is random, so that a slow hash would add nothing. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
