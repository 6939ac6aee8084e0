/** Replaces the public id and the secret of an API key. The replaced ones stay valid for a while. */

import { openSecret, sealSecret } from '../../vault/seal-secret.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Sql, Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import { lockApiKey } from './api-key-row.js'
import { newApiSecret } from './create-api-key.js'

export interface Rotation {
  readonly merchantId: string
  readonly id: string
  /** Seconds for which the replaced public id and secret stay valid. */
  readonly overlapSeconds: number
  readonly actor: string
}

/**
 * Rotates the key. What an earlier rotation replaced keeps its own end.
 *
 * @param masterKeys - Master keys that open secrets, the sealing one first.
 * @throws KeyturnError `NOT_FOUND`.
 */
export async function rotateApiKey(
  tx: Transaction,
  masterKeys: readonly [string, ...string[]],
  { merchantId, id, overlapSeconds, actor }: Rotation,
): Promise<{ readonly publicId: string; readonly secret: string }> {
  const row = await lockApiKey(tx, merchantId, id)
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
  await appendAudit(tx, {
    merchantId,
    actor,
    action: 'api_key.rotated',
    subject: id,
    data: { previous: row.public_id, overlap_seconds: overlapSeconds },
  })
  return { publicId, secret }
}

/** Deletes what rotations replaced and whose time is over. @returns How much it deleted. */
export async function purgePreviousKeys(sql: Sql): Promise<number> {
  const rows = await sql`DELETE FROM previous_api_keys WHERE expires_at < clock_timestamp()`
  return rows.count
}
