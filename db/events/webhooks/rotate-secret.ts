/** Replaces an endpoint's secret. Both secrets sign during the grace period. */

import type { Transaction } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

export interface SecretRotation {
  readonly merchantId: string
  readonly id: string
  /** New secret (`whsec_…`), sealed by `sealSecret`. */
  readonly secretSealed: Buffer
  /**
   * Grace period. 0 ends the old secret at once. After two rotations within it, only the latest old secret
   * still signs.
   */
  readonly graceSeconds: number
}

/** Rotates the secret. Returns `null` if there is no such endpoint. */
export async function rotateSecret(tx: Transaction, rotation: SecretRotation): Promise<EndpointRow | null> {
  const grace = rotation.graceSeconds > 0
  const [row] = await tx<EndpointRow[]>`
    UPDATE webhook_endpoints SET
      previous_secret_sealed = ${grace ? tx`secret_sealed` : null},
      previous_secret_until = ${grace ? tx`now() + ${rotation.graceSeconds} * interval '1 second'` : null},
      secret_sealed = ${rotation.secretSealed}
    WHERE merchant_id = ${rotation.merchantId} AND id = ${rotation.id} AND status <> 'deleted'
    RETURNING ${endpointColumns(tx)}`
  return row ?? null
}
