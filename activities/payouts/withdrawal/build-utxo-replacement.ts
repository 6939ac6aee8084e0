/**
 * Builds a further attempt of a payout on a UTXO network (BIP-125): the same inputs and recipients, a higher
 * fee.
 */

import type { UtxoAdapter } from '../../../chains/adapter.js'
import { highestFee } from '../../../db/payouts/attempts/find-attempts.js'
import { findMissingInputs, type Outpoint } from '../../../db/payouts/attempts/find-missing-inputs.js'
import {
  findChangeAddress,
  listOutputs,
  listSpendableOutputs,
} from '../../../db/payouts/attempts/list-spendable-outputs.js'
import { queueReplacement } from '../../../db/payouts/attempts/queue-replacement.js'
import { nativeCoin } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { WithdrawalChainDependencies } from './dependencies.js'
import { keyOf, paidOutputs, spendable } from './own-output.js'
import type { ReplacementBuilt, WantedAttempt } from './replacement-step.js'

/**
 * Builds the attempt. One that pays keeps all inputs of the newest attempt and every recipient's amount; the
 * change shrinks, and where that is not enough, confirmed outputs are added. One that cancels spends the
 * first attempt's inputs and pays everything to the merchant's own change address.
 *
 * An input that the newest attempt had added is left out if it is gone. An attempt without all inputs of the
 * first one would not exclude it, so nothing is built then: the payout waits until they are back, or is given
 * up.
 */
export async function buildUtxoReplacement(
  { sql }: WithdrawalChainDependencies,
  adapter: UtxoAdapter,
  wanted: WantedAttempt,
): Promise<ReplacementBuilt> {
  const { row, attempts, purpose } = wanted
  const { network } = adapter
  const [newest] = attempts
  const first = attempts.at(-1)
  if (!newest || !first) throw new Error(`${row.id} has no attempt to replace`)
  const wantedInputs = purpose === 'cancel' ? first.inputs : newest.inputs
  const missing = new Set((await findMissingInputs(sql, row.network, wantedInputs)).map(nameOf))
  const anchor = first.inputs.find((input) => missing.has(nameOf(input)))
  if (anchor) {
    return {
      kind: 'waiting',
      code: 'INPUT_MISSING',
      message: `No further attempt can be built: the input ${nameOf(anchor)} is in no block any more, or was spent`,
    }
  }
  const kept = await listOutputs(
    sql,
    row.network,
    wantedInputs.filter((input) => !missing.has(nameOf(input))),
  )
  const candidates = await listSpendableOutputs(sql, row, network.confirmations)
  const change = await findChangeAddress(sql, row)
  const built = await adapter.build({
    outputs: purpose === 'cancel' ? [] : paidOutputs(row),
    change: keyOf(network, change),
    candidates: candidates.map((output) => spendable(network, output)),
    required: kept.map((output) => spendable(network, output)),
    feeRate: await adapter.feeRate(wanted.priority),
    floor: { fee: highestFee([...attempts, ...wanted.unanswered]), rate: network.fees.minRate },
    feeLimit: wanted.feeLimit,
    ...(purpose === 'cancel' ? { feeCap: network.replacement.maxCancelFee } : {}),
    feePayer: purpose === 'cancel' ? 'sender' : row.fee_payer,
  })
  const coin = nativeCoin(network)
  const text = (amount: bigint) => `${formatAmount(amount, coin.decimals)} ${coin.name}`
  if (built.kind === 'insufficient_funds' || built.kind === 'too_many_inputs') {
    return {
      kind: 'waiting',
      code: 'INSUFFICIENT_WALLET_FUNDS',
      message: `A further attempt lacks ${text(built.missing)} of confirmed and unreserved outputs`,
    }
  }
  if (built.kind === 'fee_too_high') {
    return {
      kind: 'waiting',
      code: 'FEE_LIMIT_REACHED',
      message: `A further attempt would cost ${text(built.fee)}, more than the limit of ${text(wanted.feeLimit)}; the same bytes are sent on`,
    }
  }
  if (purpose === 'pay' && Number(built.fee) / built.vsize > network.fees.maxRate) {
    return {
      kind: 'waiting',
      code: 'FEE_LIMIT_REACHED',
      message: `A further attempt would cost more than ${network.fees.maxRate} base units a virtual byte, the network's cap; the same bytes are sent on`,
    }
  }
  const known = new Map([...kept, ...candidates].map((output) => [nameOf(output), output]))
  const result = await queueReplacement(sql, row.id, {
    family: 'utxo',
    signerId: newest.signer_id,
    purpose,
    cause: wanted.cause,
    priority: wanted.priority,
    coin: row.coin,
    amount: built.paid,
    maxFee: built.fee,
    vsize: built.vsize,
    payload: built.payload,
    inputs: built.inputs.map((input) => {
      const output = known.get(nameOf(input))
      if (!output) throw new Error(`The adapter spent ${nameOf(input)}, which was not offered`)
      return { addressId: output.address_id, txid: output.txid, vout: output.vout, amount: output.amount }
    }),
    change: built.change > 0n ? { addressId: change.address_id, amount: built.change } : null,
  })
  return result === 'queued' ? { kind: 'queued' } : { kind: 'gone' }
}

function nameOf({ txid, vout }: Outpoint): string {
  return `${txid}:${vout}`
}
