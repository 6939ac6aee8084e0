/** Reads the policy in effect for a merchant. */

import { DEFAULT_POLICY, type Policy } from '../../../domain/controls/policy.js'
import type { Queryable } from '../../connect.js'

/** A version of the policy. Version 0 is the default, which no change created. */
export interface PolicyVersion {
  readonly version: number
  readonly policy: Policy
  readonly effectiveAt: Date | null
}

/** Reads the newest version. Fields that were introduced after it have their default. */
export async function readPolicy(sql: Queryable, merchantId: string): Promise<PolicyVersion> {
  const [row] = await sql<{ version: number; policy: Policy; effective_at: Date }[]>`
    SELECT version, policy, effective_at FROM policies
    WHERE merchant_id = ${merchantId} ORDER BY version DESC LIMIT 1`
  return row
    ? { version: row.version, policy: { ...DEFAULT_POLICY, ...row.policy }, effectiveAt: row.effective_at }
    : { version: 0, policy: DEFAULT_POLICY, effectiveAt: null }
}
