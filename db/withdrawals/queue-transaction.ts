/** A built transaction becomes a row and a request to the signer, with what it spends set aside, in one transaction. */

import type { Networks } from '../../domain/network.js'
import type { EvmPayload, UtxoPayload } from '../../domain/signer-protocol.js'
import type { Sql, Transaction } from '../connect.js'
import { newId } from '../new-id.js'
import { observeChainNonce } from '../signing/allocate-nonce.js'
import { notify } from '../signing/notices.js'
import { moveWithdrawal } from './move-withdrawal.js'
import { lockWithdrawal } from './withdrawal-row.js'

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
  readonly inputs: readonly {
    readonly addressId: string
    readonly txid: string
    readonly vout: number
    readonly amount: bigint
  }[]
  readonly change: { readonly addressId: string; readonly amount: bigint } | null
}

export interface BuiltEvm extends BuiltBase {
  readonly family: 'evm'
  readonly payload: Omit<EvmPayload, 'nonce'>
  readonly fromAddressId: string
  readonly chainNonce: number
  readonly nativeCoin: string
  /** What the wallet held on the chain at `height`, in base units: the coin of the payment, and the native coin. */
  readonly balance: { readonly coin: bigint; readonly native: bigint; readonly height: number }
}

/**
 * `raced`: somebody reserved or spent one of the outpoints meanwhile; `short`: the wallet's other open payments leave too
 * little; `gone`: the withdrawal is no longer to be built (cancelled).
 */
export type QueueResult = 'queued' | 'raced' | 'short' | 'gone'

/** Ends the transaction without a trace. */
class NotQueued extends Error {
  constructor(readonly result: QueueResult) {
    super(result)
  }
}

/** Stores transaction, reservations and signing request, and moves the withdrawal to `pending_signature`. */
export async function queueTransaction(
  sql: Sql,
  networks: Networks,
  withdrawalId: string,
  built: BuiltUtxo | BuiltEvm,
): Promise<QueueResult> {
  try {
    await sql.begin((tx) => queue(tx, networks, withdrawalId, built))
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
  if (built.family === 'utxo') await reserve(tx, row.network, row.id, transactionId, built)
  else await requireUnspent(tx, row.network, built)
  const inputs = built.family === 'utxo' ? built.inputs : []
  const change = built.family === 'utxo' ? built.change : null
  await tx`
    INSERT INTO transactions (id, merchant_id, subject_type, subject_id, number, network, from_address_id, state, payload,
                              coin, amount, max_fee, inputs, change)
    SELECT ${transactionId}, ${row.merchant_id}, 'withdrawal', ${row.id},
           coalesce(max(number), 0) + 1, ${row.network}, ${built.family === 'evm' ? built.fromAddressId : null}, 'built',
           ${tx.json(built.payload as never)}, ${built.coin}, ${built.amount.toString()}::numeric,
           ${built.maxFee.toString()}::numeric,
           ${tx.json(
             inputs.map(({ addressId, txid, vout, amount }) => ({
               address_id: addressId,
               txid,
               vout,
               amount: amount.toString(),
             })),
           )},
           ${change ? tx.json({ address_id: change.addressId, amount: change.amount.toString() }) : null}::jsonb
    FROM transactions WHERE subject_id = ${row.id}`
  await tx`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, subject_id, created_at)
    VALUES (${newId('srq')}, ${row.merchant_id}, ${built.signerId}, ${transactionId}, ${row.id}, clock_timestamp())`
  await moveWithdrawal(tx, networks, row, {
    to: 'pending_signature',
    actor: 'system:withdrawal',
    fromAddress: built.fromAddress,
    audit: { transaction_id: transactionId, signer_id: built.signerId },
  })
  await notify(tx, 'signing_request', built.signerId)
}

/** One open reservation an outpoint: the unique index decides, whatever races. */
async function reserve(
  tx: Transaction,
  network: string,
  subjectId: string,
  transactionId: string,
  built: BuiltUtxo,
): Promise<void> {
  const reserved = await tx`
    INSERT INTO utxo_reservations (network, txid, vout, subject_id, transaction_id)
    SELECT ${network}, output.txid, output.vout, ${subjectId}, ${transactionId}
    FROM unnest(${built.inputs.map((input) => input.txid)}::text[], ${built.inputs.map((input) => input.vout)}::int[])
      AS wanted (txid, vout)
    JOIN utxos output ON output.network = ${network} AND output.txid = wanted.txid AND output.vout = wanted.vout
    WHERE output.spent_by IS NULL
    ORDER BY output.txid, output.vout
    ON CONFLICT (network, txid, vout) WHERE released_at IS NULL DO NOTHING
    RETURNING id`
  if (reserved.length !== built.inputs.length) throw new NotQueued('raced')
}

/**
 * What the wallet holds must cover this payment and all that is under way from it: not mined yet, or mined above the height
 * at which the balance was read. The account's lock makes two builders see each other.
 */
async function requireUnspent(tx: Transaction, network: string, built: BuiltEvm): Promise<void> {
  await observeChainNonce(tx, network, built.payload.from, built.chainNonce)
  const [open] = await tx<{ coin: bigint; native: bigint; fees: bigint }[]>`
    SELECT coalesce(sum(amount) FILTER (WHERE coin = ${built.coin}), 0)::numeric AS coin,
           coalesce(sum(amount) FILTER (WHERE coin = ${built.nativeCoin}), 0)::numeric AS native,
           coalesce(sum(max_fee), 0)::numeric AS fees
    FROM transactions
    WHERE from_address_id = ${built.fromAddressId}
      AND (state IN ('built', 'signed', 'broadcast')
           OR (state IN ('mined', 'final') AND block_number > ${built.balance.height}))`
  if (!open) throw new Error('Sums always exist')
  const native = built.coin === built.nativeCoin ? built.amount : 0n
  const enough =
    built.balance.native >= open.native + open.fees + native + built.maxFee &&
    (built.coin === built.nativeCoin || built.balance.coin >= open.coin + built.amount)
  if (!enough) throw new NotQueued('short')
}
