/**
 * Stores a further attempt of a payout that is not mined, with its request to the signer, inside its conflict
 * set.
 */

import { byFamily } from '../../../domain/chain/by-family.js'
import { SENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { EvmPayload, UtxoPayload } from '../../../domain/signing/signer-protocol.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { lockWithdrawal, type PayoutRow } from '../payout-row.js'
import { coversOpenPayouts, type WalletBalance } from './covers-open-payouts.js'
import { type AttemptRow, isOpen } from './find-attempts.js'
import { type AttemptInput, insertAttempt } from './insert-attempt.js'
import { reserveOutputs } from './reserve-outputs.js'

interface ReplacementBase {
  readonly signerId: string
  readonly purpose: AttemptRow['purpose']
  readonly cause: AttemptRow['cause']
  readonly priority: AttemptRow['priority']
  readonly coin: string
  /** Base units that leave in `coin`, without the fee. 0 for a cancelling transaction. */
  readonly amount: bigint
  readonly maxFee: bigint
}

export interface UtxoReplacement extends ReplacementBase {
  readonly family: 'utxo'
  readonly payload: UtxoPayload
  readonly vsize: number
  readonly inputs: readonly AttemptInput[]
  readonly change: { readonly addressId: string; readonly amount: bigint } | null
}

export interface EvmReplacement extends ReplacementBase {
  readonly family: 'evm'
  readonly payload: EvmPayload
  readonly fromAddressId: string
  readonly nativeCoin: string
  readonly balance: WalletBalance
}

/**
 * `raced` and `short` as for a first attempt; `gone`: the payout was mined, or another attempt is at the
 * signer.
 */
export type ReplacementQueued = 'queued' | 'raced' | 'short' | 'gone'

class NotQueued extends Error {
  constructor(readonly result: ReplacementQueued) {
    super(result)
  }
}

/**
 * Stores the attempt. The stage stays, because the attempts before it are as good as they were.
 *
 * @throws Error when the attempt is outside the conflict set: it could be mined beside the first one, and pay
 * a second time.
 */
export async function queueReplacement(
  sql: Sql,
  withdrawalId: string,
  built: UtxoReplacement | EvmReplacement,
): Promise<ReplacementQueued> {
  try {
    await inTransaction(sql, (tx) => queue(tx, withdrawalId, built))
    return 'queued'
  } catch (error) {
    if (error instanceof NotQueued) return error.result
    throw error
  }
}

async function queue(
  tx: Transaction,
  withdrawalId: string,
  built: UtxoReplacement | EvmReplacement,
): Promise<void> {
  const row = await lockWithdrawal(tx, withdrawalId)
  if (!SENT_PAYOUTS[row.stage]) throw new NotQueued('gone')
  // A cancellation that was requested meanwhile goes before any attempt that pays.
  if (row.cancellation && built.purpose === 'pay') throw new NotQueued('gone')
  await requireConflictSet(tx, row, built)
  const transactionId = newId('tx')
  const spends = await byFamily(built, {
    utxo: async ({ inputs, vsize, change }) => {
      if (!(await reserveOutputs(tx, row, transactionId, inputs))) throw new NotQueued('raced')
      return { fromAddressId: null, nonce: null, vsize, inputs, change }
    },
    evm: async (evm) => {
      const { from, nonce } = evm.payload
      await tx`
        SELECT 1 FROM nonce_accounts WHERE network = ${row.network} AND address = ${from} FOR UPDATE`
      if (!(await coversOpenPayouts(tx, row, evm))) throw new NotQueued('short')
      return { fromAddressId: evm.fromAddressId, nonce, vsize: null, inputs: [], change: null }
    },
  })
  await insertAttempt(tx, row, {
    ...spends,
    id: transactionId,
    signerId: built.signerId,
    purpose: built.purpose,
    cause: built.cause,
    priority: built.priority,
    payload: built.payload,
    coin: built.coin,
    amount: built.amount,
    maxFee: built.maxFee,
  })
  await tx`UPDATE payouts SET speed_up = NULL, waiting = NULL, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: 'system:withdrawal',
    action: 'withdrawal.replacement_queued',
    subject: row.id,
    data: {
      transaction_id: transactionId,
      purpose: built.purpose,
      cause: built.cause,
      priority: built.priority,
      max_fee: built.maxFee.toString(),
      asked_by: row.speed_up?.requested_by ?? row.cancellation?.requested_by ?? null,
    },
  })
}

/**
 * Requires that the attempt spends all inputs of the first one, or has its account and nonce, and that no
 * attempt is mined, or at a signer that may still answer.
 */
async function requireConflictSet(
  tx: Transaction,
  row: PayoutRow,
  built: UtxoReplacement | EvmReplacement,
): Promise<void> {
  const attempts = await tx<
    Pick<AttemptRow, 'state' | 'nonce' | 'inputs' | 'from_address_id' | 'signed_transaction' | 'passed_at'>[]
  >`
    SELECT attempt.state, attempt.nonce, attempt.inputs, attempt.from_address_id, attempt.signed_transaction,
           request.passed_at
    FROM attempts attempt LEFT JOIN signing_requests request ON request.transaction_id = attempt.id
    WHERE attempt.payout_id = ${row.id} ORDER BY attempt.number`
  if (attempts.some((attempt) => isOpen(attempt) || attempt.state === 'mined' || attempt.state === 'final')) {
    throw new NotQueued('gone')
  }
  const first = attempts.find((attempt) => attempt.signed_transaction !== null)
  if (!first) throw new NotQueued('gone')
  const inside = byFamily(built, {
    utxo: ({ inputs }) =>
      first.inputs.every((input) =>
        inputs.some(({ txid, vout }) => txid === input.txid && vout === input.vout),
      ),
    evm: ({ fromAddressId, payload }) =>
      first.from_address_id === fromAddressId && Number(first.nonce) === payload.nonce,
  })
  if (!inside) throw new Error(`The replacement of ${row.id} would not exclude its first attempt`)
}
