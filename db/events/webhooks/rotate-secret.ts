/** Replaces an endpoint's secret; for a while both sign. */

import type { Transaction } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

export interface SecretRotation {
  readonly merchantId: string
  readonly id: string
  /** `sealSecret` of the UTF-8 of the new `whsec_…`. */
  readonly secretSealed: Buffer
  /** 0 ends the old one at once. Of two rotations within the grace only the latest old secret goes on. */
  readonly graceSeconds: number
}

/** Rotates; null where there is no such endpoint. */
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
