/** Finds out whether something final has excluded every attempt of a payout. */

import type { ChainAdapter, EvmAdapter } from '../../../chains/adapter.js'
import { byAdapterFamily } from '../../../chains/adapter.js'
import { inTransaction } from '../../../db/connect.js'
import { readCursor } from '../../../db/networks/chain-cursor.js'
import { isLive, listAttempts } from '../../../db/payouts/attempts/find-attempts.js'
import { noteNonceUse } from '../../../db/payouts/attempts/note-nonce-use.js'
import { unmineOrphaned } from '../../../db/payouts/attempts/track-broadcast.js'
import { lockWithdrawal } from '../../../db/payouts/payout-row.js'
import { type Conflict, proveUnpaid } from '../../../db/payouts/prove-unpaid.js'
import { assertNever } from '../../../domain/assert-never.js'
import { isSigned } from '../../../domain/payouts/withdrawal-stage.js'
import type { WithdrawalChainDependencies } from './dependencies.js'

/** The payout can never be mined, so its hold may be released. */
export interface LostStep {
  readonly kind: 'lost'
  readonly code: string
  readonly message: string
}

/**
 * Decides while no node knows any attempt. That a node forgot it proves nothing, so the verdict comes from
 * the blocks that the watcher has scanned, in which an attempt of ours would have been found (`proveUnpaid`).
 * Only for an EVM account is a node asked, for its nonce at a scanned block.
 *
 * @returns The failure. `null` while one attempt may still be mined.
 */
export async function findConflict(
  { sql }: WithdrawalChainDependencies,
  adapter: ChainAdapter,
  id: string,
): Promise<LostStep | null> {
  await byAdapterFamily(adapter, { utxo: () => undefined, evm: (evm) => lookAtNonce(sql, evm, id) })
  return inTransaction(sql, async (tx): Promise<LostStep | null> => {
    const row = await lockWithdrawal(tx, id)
    if (!isSigned(row.stage)) return null
    await unmineOrphaned(tx, id)
    const proof = await proveUnpaid(tx, row)
    if (!proof.proven || proof.by !== 'conflict_final') return null
    return { kind: 'lost', ...explain(proof.conflict, row.from_address) }
  })
}

async function lookAtNonce(
  sql: WithdrawalChainDependencies['sql'],
  adapter: EvmAdapter,
  id: string,
): Promise<void> {
  const { name } = adapter.network
  const [newest] = (await listAttempts(sql, id)).filter(isLive)
  const cursor = await readCursor(sql, name)
  if (newest?.payload.family !== 'evm' || !cursor) return
  const next = await adapter.nonceAt(newest.payload.from, cursor)
  // A node that has not reached the block, has another block there or keeps no state of it proves nothing.
  if (next !== null) await noteNonceUse(sql, id, name, cursor, next)
}

function explain(conflict: Conflict, from: string | null): Omit<LostStep, 'kind'> {
  switch (conflict.kind) {
    case 'nonce':
      return {
        code: 'NONCE_USED_ELSEWHERE',
        message: `Nonce ${conflict.nonce} of ${from} was used by a transaction that is not ours; another program signs with this key`,
      }
    case 'input':
      return conflict.direct
        ? {
            code: 'INPUT_SPENT_ELSEWHERE',
            message: `Transaction ${conflict.by}, which is no attempt of this payout, spent its input ${conflict.outpoint}`,
          }
        : {
            code: 'INPUT_VANISHED',
            message: `An input came from a transaction that left the chain and cannot come back, because ${conflict.by} spent ${conflict.outpoint} in its place`,
          }
    case 'own':
      return {
        code: 'EXCLUDED_BY_OWN',
        message: 'A final transaction of your own has the same nonce or spends the same input',
      }
    default:
      return assertNever(conflict)
  }
}
