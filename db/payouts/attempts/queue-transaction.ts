/**
 * Stores a built transaction and its request to the signer, and reserves what it spends, in one transaction
 * of the database.
 */

import { byFamily } from '../../../domain/chain/by-family.js'
import type { Networks } from '../../../domain/chain/network.js'
import type { EvmPayload, UtxoPayload } from '../../../domain/signing/signer-protocol.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { movePayout } from '../move-payout.js'
import { lockWithdrawal } from '../payout-row.js'
import { observeChainNonce } from './allocate-nonce.js'
import { coversOpenPayouts, type WalletBalance } from './covers-open-payouts.js'
import { type AttemptInput, insertAttempt } from './insert-attempt.js'
import { reserveOutputs } from './reserve-outputs.js'

interface BuiltBase {
  readonly signerId: string
  readonly coin: string
  /** Base units that leave in `coin`, without the fee. */
  readonly amount: bigint
  /** Base units of the native coin. */
  readonly maxFee: bigint
  readonly fromAddress: string
}

export interface BuiltUtxo extends BuiltBase {
  readonly family: 'utxo'
  readonly payload: UtxoPayload
  readonly inputs: readonly AttemptInput[]
  /** Virtual bytes. */
  readonly vsize: number
  readonly change: { readonly addressId: string; readonly amount: bigint } | null
}

export interface BuiltEvm extends BuiltBase {
  readonly family: 'evm'
  /** Payload. It has its nonce only in a nonce fill. */
  readonly payload: Omit<EvmPayload, 'nonce'> | EvmPayload
  /** Default: `pay`. */
  readonly purpose?: 'cancel'
  readonly fromAddressId: string
  readonly chainNonce: number
  readonly nativeCoin: string
  readonly balance: WalletBalance
}

/**
 * `raced`: another payout reserved one of the outpoints meanwhile, a transaction spent it, or its block left
 * the chain; `short`: the wallet's other open payouts leave too little; `gone`: the payout is no longer to be
 * built (cancelled).
 */
export type QueueResult = 'queued' | 'raced' | 'short' | 'gone'

/** Rolls the transaction back. */
class NotQueued extends Error {
  constructor(readonly result: QueueResult) {
    super(result)
  }
}

/** Stores attempt, reservations and signing request, and moves the payout to `pending_signature`. */
export async function queueTransaction(
  sql: Sql,
  networks: Networks,
  withdrawalId: string,
  built: BuiltUtxo | BuiltEvm,
): Promise<QueueResult> {
  try {
    await inTransaction(sql, (tx) => queue(tx, networks, withdrawalId, built))
    return 'queued'
  } catch (error) {
    if (error instanceof NotQueued) return error.result
    throw error
  }
}

async function queue(
  tx: Transaction,
  networks: Networks,
  withdrawalId: string,
  built: BuiltUtxo | BuiltEvm,
): Promise<void> {
  const row = await lockWithdrawal(tx, withdrawalId)
  if (row.stage !== 'building') throw new NotQueued('gone')
  const transactionId = newId('tx')
  const spends = await byFamily(built, {
    utxo: async ({ inputs, vsize, change }) => {
      if (!(await reserveOutputs(tx, row, transactionId, inputs))) throw new NotQueued('raced')
      return { purpose: 'pay' as const, fromAddressId: null, nonce: null, vsize, inputs, change }
    },
    evm: async (evm) => {
      await observeChainNonce(tx, row.network, evm.payload.from, evm.chainNonce)
      if (!(await coversOpenPayouts(tx, row, evm))) throw new NotQueued('short')
      const nonce = 'nonce' in evm.payload ? evm.payload.nonce : null
      const { purpose = 'pay' as const, fromAddressId } = evm
      return { purpose, fromAddressId, nonce, vsize: null, inputs: [], change: null }
    },
  })
  await insertAttempt(tx, row, {
    ...spends,
    id: transactionId,
    signerId: built.signerId,
    cause: 'first',
    priority: row.priority,
    payload: built.payload,
    coin: built.coin,
    amount: built.amount,
    maxFee: built.maxFee,
  })
  await movePayout(tx, networks, row, {
    to: 'pending_signature',
    actor: 'system:withdrawal',
    fromAddress: built.fromAddress,
    audit: { transaction_id: transactionId, signer_id: built.signerId },
  })
}
