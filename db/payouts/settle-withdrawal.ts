/** Ends a payout that was mined: the books get what really left, and the rest of the hold is released. */

import { subjectOf } from '../../domain/books/exception.js'
import { findNetwork, knownCoin, type Networks } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { isWithdrawalFinal } from '../../domain/payouts/withdrawal-stage.js'
import { raiseException } from '../books/exceptions/raise-exception.js'
import { postJournal } from '../books/ledger/post-journal.js'
import type { Sql, Transaction } from '../connect.js'
import { repeatTransaction } from '../repeat-transaction.js'
import { releaseOutputs } from './attempts/exclude-attempts.js'
import { movePayout } from './move-payout.js'
import { movementInflows } from './movements/movement-inflows.js'
import { lockWithdrawal, type PayoutRow } from './payout-row.js'
import { cancelJournal, type Outflow, settleJournal } from './withdrawal-journals.js'

/** Facts from the chain. Amounts are decimal strings in base units, because they pass through a workflow. */
export interface MinedOutcome {
  readonly transactionId: string
  readonly blockNumber: number
  readonly blockHash: string
  readonly confirmations: number
  readonly fee: string
  /** False when an EVM transaction reverted: its fee is spent, the amount is not. */
  readonly succeeded: boolean
  /** Amount that a token's recipient received. Absent when that is the amount sent. */
  readonly arrived?: string
}

interface PaidRow {
  readonly id: string
  readonly purpose: 'pay' | 'cancel'
  readonly txid: string
  readonly from_address_id: string | null
  readonly coin: string
  readonly amount: bigint
  readonly inputs: readonly { readonly address_id: string; readonly amount: string }[]
  readonly change: { readonly address_id: string; readonly amount: string } | null
}

/** Settles the payout. A second call changes nothing. @returns The row as it is then. */
export async function settleWithdrawal(
  sql: Sql,
  networks: Networks,
  id: string,
  outcome: MinedOutcome,
): Promise<PayoutRow> {
  return repeatTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (isWithdrawalFinal(row.stage)) return row
    const paid = await closeTransaction(tx, row, outcome)
    if (paid === null) return row
    if (paid.purpose === 'cancel' && row.kind !== 'nonce_fill') {
      await postJournal(tx, {
        ...cancelJournal(row, outflows(row, paid, { ...outcome, succeeded: false })),
        ...booked(row, outcome),
      })
      return movePayout(tx, networks, row, {
        to: 'cancelled',
        actor: row.cancellation?.requested_by ?? 'system:chain',
        cause: `a transaction without a recipient took its place: ${row.cancellation?.reason ?? 'cancelled'}`,
        transactionHash: paid.txid,
        mined: mined(outcome),
        failure: {
          code: 'CANCELLED',
          message: 'Cancelled by a transaction without a recipient. The merchant’s own account paid its fee',
        },
        audit: { fee: outcome.fee, block_number: outcome.blockNumber, block_hash: outcome.blockHash },
      })
    }
    const arrived = outcome.arrived === undefined ? paid.amount : BigInt(outcome.arrived)
    const inflows = outcome.succeeded
      ? await movementInflows(tx, row, { coin: paid.coin, amount: arrived })
      : []
    await postJournal(tx, {
      ...settleJournal(row, [...outflows(row, paid, outcome), ...inflows], BigInt(outcome.fee)),
      ...booked(row, outcome),
    })
    await reportFee(tx, networks, row, outcome)
    return movePayout(tx, networks, row, {
      to: outcome.succeeded ? 'confirmed' : 'reverted',
      actor: 'system:chain',
      cause: outcome.succeeded
        ? `${outcome.confirmations} confirmations`
        : 'mined, but the contract refused the transfer',
      transactionHash: paid.txid,
      mined: mined(outcome),
      confirmed: outcome.succeeded,
      ...(outcome.succeeded
        ? {}
        : {
            failure: {
              code: 'REVERTED_ON_CHAIN',
              message:
                'The transaction was mined but reverted: the fee is spent, the amount is available again',
            },
          }),
      audit: { fee: outcome.fee, block_number: outcome.blockNumber, block_hash: outcome.blockHash },
    })
  })
}

/**
 * Raises an exception when the fee was above the agreed limit. The chain has taken it, so the payout is settled
 * all the same.
 */
async function reportFee(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  outcome: MinedOutcome,
): Promise<void> {
  if (BigInt(outcome.fee) <= row.fee_limit) return
  const { decimals } = knownCoin(findNetwork(networks, row.network), row.fee_coin)
  const limit = formatAmount(row.fee_limit, decimals)
  const fee = formatAmount(BigInt(outcome.fee), decimals)
  await raiseException(tx, {
    merchantId: row.merchant_id,
    kind: 'wrong_amount',
    detail: 'withdrawal.fee_above_limit',
    cause: `fee_above_limit:${row.id}:${outcome.blockHash}`,
    subject: subjectOf(row.id),
    reason: 'The network took a higher fee than was agreed; the difference is the merchant’s own',
    expected: limit,
    actual: fee,
    userReference: row.user_reference,
    evidence: {
      network: row.network,
      coin: row.fee_coin,
      fee,
      fee_limit: limit,
      block_hash: outcome.blockHash,
    },
  })
}

/** Returns where the books count the outcome, and what of it the network took. */
function booked(row: PayoutRow, { blockNumber, fee }: MinedOutcome) {
  return { height: blockNumber, fees: { [row.fee_coin]: BigInt(fee) } }
}

function mined({ blockNumber, confirmations, fee }: MinedOutcome) {
  return { blockNumber, confirmations, fee: BigInt(fee) }
}

/** Returns `null`, without a change, when the attempt is in that block no more: a reorg took it back. */
async function closeTransaction(
  tx: Transaction,
  row: PayoutRow,
  outcome: MinedOutcome,
): Promise<PaidRow | null> {
  const [paid] = await tx<PaidRow[]>`
    WITH paid AS (
      UPDATE attempts SET
        state = 'final', fee = ${outcome.fee}, succeeded = ${outcome.succeeded}, block_number = ${outcome.blockNumber},
        signalled_at = coalesce(signalled_at, clock_timestamp())
      WHERE id = ${outcome.transactionId} AND payout_id = ${row.id} AND block_hash = ${outcome.blockHash}
      RETURNING id, payout_id, purpose, txid, from_address_id, coin, amount, inputs, change
    ), others AS (
      UPDATE attempts SET state = CASE attempts.state WHEN 'built' THEN 'abandoned' ELSE 'replaced' END
      FROM paid WHERE attempts.payout_id = paid.payout_id AND attempts.id <> paid.id
        AND attempts.state IN ('built', 'signed', 'broadcast', 'mined')
    ), queued AS (
      UPDATE signing_requests request SET state = 'withdrawn', lease_until = NULL
      FROM paid WHERE request.payout_id = paid.payout_id AND request.state = 'queued'
    ), leased AS (
      UPDATE signing_requests request SET passed_at = coalesce(passed_at, clock_timestamp())
      FROM paid WHERE request.payout_id = paid.payout_id AND request.state = 'leased'
    ), used AS (
      UPDATE nonces SET state = 'used'
      FROM paid WHERE nonces.payout_id = paid.payout_id AND nonces.state IN ('allocated', 'signed')
    )
    SELECT id, purpose, txid, from_address_id, coin, amount, inputs, change FROM paid`
  if (!paid) return null
  // An account has no outputs.
  if (paid.from_address_id !== null) return paid
  // Releases the outputs that only other attempts had added.
  await releaseOutputs(tx, row.id)
  // The watcher may not have scanned this block yet.
  await tx`
    UPDATE utxos output SET spent_by = attempt.txid
    FROM attempts attempt, jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
    WHERE attempt.id = ${paid.id} AND output.network = attempt.network AND output.txid = input.txid
      AND output.vout = input.vout AND output.spent_by IS NULL`
  return paid
}

function outflows(row: PayoutRow, paid: PaidRow, outcome: MinedOutcome): Outflow[] {
  if (paid.from_address_id !== null) {
    const addressId = paid.from_address_id
    const fee: Outflow = { addressId, coin: row.fee_coin, amount: BigInt(outcome.fee) }
    return outcome.succeeded ? [{ addressId, coin: paid.coin, amount: paid.amount }, fee] : [fee]
  }
  const spent = paid.inputs.map(
    (input): Outflow => ({ addressId: input.address_id, coin: row.coin, amount: BigInt(input.amount) }),
  )
  if (paid.change) {
    spent.push({
      addressId: paid.change.address_id,
      coin: row.coin,
      amount: -BigInt(paid.change.amount),
    })
  }
  return spent
}
