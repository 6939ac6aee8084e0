/** Requests an attempt at a higher fee for a payout that waits for a block. */

import { byFamily } from '../../../domain/chain/by-family.js'
import { findNetwork, type Network, type Networks, nativeCoin } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount, parseAmount } from '../../../domain/money.js'
import { PRIORITIES, type Priority } from '../../../domain/payouts/priority.js'
import { leastReplacement, leastUtxoReplacement } from '../../../domain/payouts/replacement.js'
import { SENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import { type FeePrice, priceOf } from '../../../domain/payouts/withdrawal-fee.js'
import { appendAudit } from '../../audit/append-audit.js'
import { isoNow, type Queryable, type Transaction } from '../../connect.js'
import { findNewlyListed } from '../../controls/sanctions/find-newly-listed.js'
import { readFeePrice } from '../../networks/read-fee-price.js'
import {
  type AttemptRow,
  highestFee,
  isLive,
  isOpen,
  isUnanswered,
  listAttempts,
  type SignedAttempt,
} from '../attempts/find-attempts.js'
import { lockWithdrawal, type PayoutRow, type SpeedUpRequest } from '../payout-row.js'
import { isOwnPayout, type OwnPayout, payoutNotFound } from './lock-own-withdrawal.js'

export interface SpeedUp extends OwnPayout {
  /** Priority. Default: the next above the newest attempt's. */
  readonly priority: Priority | null
  /** Highest fee allowed, in whole coins. Default: the payout's own limit. */
  readonly maxFee: string | null
  readonly actor: string
}

/**
 * Stores the request. The workflow builds the attempt inside the limit that people approved, so no new
 * approval is needed.
 *
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` when nothing can be replaced, or (reason `SANCTIONED`)
 * when a destination came onto the sanctions list; `REPLACEMENT_NOT_SUPPORTED`; `FEE_LIMIT_EXCEEDED` {limit,
 * required, coin}, as far as that is known without asking a node.
 */
export async function requestSpeedUp(tx: Transaction, networks: Networks, request: SpeedUp): Promise<void> {
  const { row, network, attempts, unanswered, newest } = await lockReplaceable(tx, networks, request)
  if (row.cancellation) {
    throw new KeyturnError(
      'INVALID_STATE',
      'This withdrawal is being cancelled; nothing of it is paid faster',
      {
        details: { id: row.id, stage: row.stage },
      },
    )
  }
  if ((await findNewlyListed(tx, [row.id])).has(row.id)) {
    throw new KeyturnError(
      'INVALID_STATE',
      'A destination came onto the sanctions list after this was requested; nothing of it is paid faster. cancel-transaction may still take it back',
      { details: { id: row.id, stage: row.stage, reason: 'SANCTIONED' } },
    )
  }
  const coin = nativeCoin(network)
  const asked = request.maxFee === null ? null : parseAmount(request.maxFee, coin.decimals)
  const limit = asked !== null && asked < row.fee_limit ? asked : row.fee_limit
  const priority = request.priority ?? nextPriority(newest.priority)
  const required = await leastFee(tx, network, [...attempts, ...unanswered], newest, priority)
  if (required > limit) {
    throw new KeyturnError(
      'FEE_LIMIT_EXCEEDED',
      asked === limit
        ? 'A replacement at this priority needs a fee above max_fee. Raise max_fee, or wait'
        : 'A replacement at this priority needs a fee above the approved limit. Wait, or cancel and request it again',
      {
        details: {
          limit: formatAmount(limit, coin.decimals),
          required: formatAmount(required, coin.decimals),
          coin: coin.name,
        },
      },
    )
  }
  const speedUp: SpeedUpRequest = {
    priority,
    max_fee: asked?.toString() ?? null,
    requested_by: request.actor,
    requested_at: new Date().toISOString(),
  }
  await tx`UPDATE payouts SET speed_up = ${tx.json({ ...speedUp })}, updated_at = clock_timestamp() WHERE id = ${row.id}`
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: request.actor,
    action: 'withdrawal.speed_up_requested',
    subject: row.id,
    data: { priority, max_fee: speedUp.max_fee, replaces: newest.txid },
  })
}

/** Removes a request that could not be met. The withdrawal shows why. */
export async function clearSpeedUp(
  sql: Queryable,
  id: string,
  reason: { readonly code: string; readonly message: string },
): Promise<void> {
  await sql`
    UPDATE payouts SET speed_up = NULL, waiting = jsonb_build_object(
      'code', ${reason.code}::text, 'message', ${reason.message}::text,
      'since', ${isoNow(sql)})
    WHERE id = ${id} AND speed_up IS NOT NULL`
}

/**
 * Locks a payout of which signed attempts wait for a block.
 *
 * @param purpose - A further attempt that pays waits until the signer has answered for the last one. A
 * cancellation does not.
 * @throws KeyturnError as `requestSpeedUp`.
 */
export async function lockReplaceable(
  tx: Transaction,
  networks: Networks,
  request: OwnPayout,
  purpose: 'pay' | 'cancel' = 'pay',
): Promise<{
  readonly row: PayoutRow
  readonly network: Network
  readonly attempts: readonly SignedAttempt[]
  /** Attempts at a signer that does not answer, for which nothing waits any more. */
  readonly unanswered: readonly AttemptRow[]
  readonly newest: SignedAttempt
}> {
  const [own] = await tx`SELECT 1 FROM payouts withdrawal WHERE ${isOwnPayout(tx, request)}`
  if (!own) throw payoutNotFound(request)
  const row = await lockWithdrawal(tx, request.id)
  const network = findNetwork(networks, row.network)
  const all = await listAttempts(tx, row.id)
  const attempts = all.filter(isLive)
  const [newest] = attempts
  const mined = all.some(({ state }) => state === 'mined' || state === 'final')
  const waits = SENT_PAYOUTS[row.stage]
  if (!waits || !newest || mined) {
    throw new KeyturnError(
      'INVALID_STATE',
      mined
        ? 'The transaction is in a block already; nothing can take its place'
        : `A withdrawal in stage ${row.stage} has no transaction that waits for a block`,
      { details: { id: row.id, stage: row.stage } },
    )
  }
  if (!network.replacement.supported) {
    throw new KeyturnError(
      'REPLACEMENT_NOT_SUPPORTED',
      `The nodes of ${network.name} keep the first transaction that they see; it cannot be replaced by another one`,
      { details: { id: row.id, network: network.name } },
    )
  }
  if (purpose === 'pay' && all.some(isOpen)) {
    throw new KeyturnError(
      'INVALID_STATE',
      'A further attempt is at the signer already; wait for its answer, or mark the payout for investigation to pass over it',
      {
        details: { id: row.id, stage: row.stage },
      },
    )
  }
  return { row, network, attempts, unanswered: all.filter(isUnanswered), newest }
}

function nextPriority(priority: Priority): Priority {
  return PRIORITIES[PRIORITIES.indexOf(priority) + 1] ?? 'urgent'
}

/** Returns the least fee by the prices that the watcher saw last. The build asks the node itself. */
async function leastFee(
  tx: Transaction,
  network: Network,
  attempts: readonly AttemptRow[],
  newest: SignedAttempt,
  priority: Priority,
): Promise<bigint> {
  const price = await readFeePrice(tx, network, priority)
  return byFamily(network, {
    utxo: ({ fees }) =>
      leastUtxoReplacement(
        highestFee(attempts),
        newest.vsize ?? 0,
        priceOf('utxo', price).rate,
        fees.minRate,
      ),
    evm: () => leastEvmFee(attempts, priceOf('evm', price)),
  })
}

function leastEvmFee(attempts: readonly AttemptRow[], price: Extract<FeePrice, { family: 'evm' }>): bigint {
  let required = 0n
  for (const { payload } of attempts) {
    if (payload.family !== 'evm') continue
    const before = {
      maxFeePerGas: BigInt(payload.max_fee_per_gas),
      maxPriorityFeePerGas: BigInt(payload.max_priority_fee_per_gas),
    }
    // The watcher stores twice the base fee plus the tip.
    const baseFee = (price.maxFeePerGas - price.maxPriorityFeePerGas) / 2n
    const fee = BigInt(payload.gas) * leastReplacement(before, { ...price, baseFee }).maxFeePerGas
    if (fee > required) required = fee
  }
  return required
}
