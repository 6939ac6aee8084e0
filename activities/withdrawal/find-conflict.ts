/** Whether a transaction that is not ours took the place of a signed one, and is final. */

import type { ChainAdapter } from '../../chains/adapter.js'
import type { PaymentRow } from '../../db/withdrawals/find-payment.js'
import { findForeignSpend, noteConflict } from '../../db/withdrawals/track-broadcast.js'
import { isEvmAdapter, type WithdrawalChainDependencies } from './dependencies.js'

/** The withdrawal can never be mined; its funds may be released. */
export interface LostStep {
  readonly kind: 'lost'
  readonly code: string
  readonly message: string
}

/**
 * Asked only while the chain does not know our transaction. EVM: the account's nonce on the chain is beyond ours and stays so
 * for `required` blocks. UTXO: an input was spent by another transaction that is so deep.
 *
 * @returns Null while the conflict is not final, or there is none.
 */
export async function findConflict(
  { sql }: WithdrawalChainDependencies,
  adapter: ChainAdapter,
  payment: PaymentRow,
  required: number,
): Promise<LostStep | null> {
  const { height } = await adapter.head()
  if (isEvmAdapter(adapter) && payment.payload.family === 'evm') {
    const { from, nonce } = payment.payload
    const taken = (await adapter.nonce(from)) > nonce
    await noteConflict(sql, payment.id, taken ? height : null)
    const first = taken ? Number(payment.conflict_height ?? height) : null
    if (first === null || height - first + 1 < required) return null
    return {
      kind: 'lost',
      code: 'NONCE_USED_ELSEWHERE',
      message: `Nonce ${nonce} of ${from} was used by a transaction that is not ours; somebody else signs with this key`,
    }
  }
  const foreign = await findForeignSpend(sql, payment.id)
  if (!foreign || height - foreign.height + 1 < required) return null
  return {
    kind: 'lost',
    code: 'INPUT_SPENT_ELSEWHERE',
    message: `Transaction ${foreign.by}, which is not ours, spent an input of this one; somebody else signs with this key`,
  }
}
