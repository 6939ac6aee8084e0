/** Replaces the public id and the secret of an API key. The replaced ones stay valid for a while. */

import { KeyturnError } from '../../domain/errors.js'
import { openSecret, sealSecret } from '../../vault/seal-secret.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import { lockApiKey } from './api-key-row.js'
import { newApiSecret } from './create-api-key.js'

/** Most replaced secrets of a key that are valid at a time. */
const MOST_PREVIOUS = 5

export interface Rotation {
  readonly merchantId: string
  readonly id: string
  /** Seconds for which the replaced public id and secret stay valid. */
  readonly overlapSeconds: number
  readonly actor: string
}

/**
 * Rotates the key. What earlier rotations replaced keeps its own end, unless this one has no overlap: then all of
 * it ends.
 *
 * @param masterKeys - Master keys that open secrets, the sealing one first.
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE` while too many replaced secrets are valid.
 */
export async function rotateApiKey(
  tx: Transaction,
  masterKeys: readonly [string, ...string[]],
  { merchantId, id, overlapSeconds, actor }: Rotation,
): Promise<{ readonly publicId: string; readonly secret: string }> {
  const row = await lockApiKey(tx, merchantId, id)
  if (overlapSeconds > 0) await requireFewPrevious(tx, id)
  const [master] = masterKeys
  if (overlapSeconds > 0) {
    const replaced = openSecret(masterKeys, row.secret_sealed, { table: 'api_keys', key: [id] })
    const sealed = sealSecret(master, replaced, { table: 'previous_api_keys', key: [row.public_id] })
    await tx`
      INSERT INTO previous_api_keys (public_id, api_key_id, secret_sealed, expires_at)
      VALUES (${row.public_id}, ${id}, ${sealed}, clock_timestamp() + ${overlapSeconds} * interval '1 second')`
  }
  const publicId = newId('key')
  const secret = newApiSecret()
  await tx`
    UPDATE api_keys SET public_id = ${publicId},
      secret_sealed = ${sealSecret(master, Buffer.from(secret), { table: 'api_keys', key: [id] })}
    WHERE id = ${id}`
  // After the update, whose trigger notifies every process.
  if (overlapSeconds === 0) await tx`DELETE FROM previous_api_keys WHERE api_key_id = ${id}`
  await appendAudit(tx, {
    merchantId,
    actor,
    action: 'api_key.rotated',
    subject: id,
    data: { previous: row.public_id, overlap_seconds: overlapSeconds },
  })
  return { publicId, secret }
}

async function requireFewPrevious(tx: Transaction, id: string): Promise<void> {
  const [row] = await tx<{ count: number }[]>`
    SELECT count(*)::int AS count FROM previous_api_keys WHERE api_key_id = ${id} AND expires_at > clock_timestamp()`
  if ((row?.count ?? 0) < MOST_PREVIOUS) return
  throw new KeyturnError(
    'INVALID_STATE',
    `${MOST_PREVIOUS} replaced secrets of this key are still valid. Rotate it with overlap_seconds 0, which ends them, or wait`,
    { details: { id } },
  )
}
