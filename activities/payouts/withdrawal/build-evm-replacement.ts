/** Builds a further attempt of a payout on an EVM network: the same nonce, a higher fee. */

import type { EvmAdapter } from '../../../chains/adapter.js'
import { queueReplacement } from '../../../db/payouts/attempts/queue-replacement.js'
import { nativeCoin } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { WithdrawalChainDependencies } from './dependencies.js'
import { evmPayload, highestPrices } from './highest-prices.js'
import type { ReplacementBuilt, WantedAttempt } from './replacement-step.js'

/**
 * Offers at least an eighth more than every attempt so far, and at least what the next block asks. Waits when
 * that is above the limit.
 */
export async function buildEvmReplacement(
  { sql }: WithdrawalChainDependencies,
  adapter: EvmAdapter,
  wanted: WantedAttempt,
): Promise<ReplacementBuilt> {
  const { row, attempts, purpose } = wanted
  const [newest] = attempts
  const paying = attempts.find((attempt) => attempt.purpose === 'pay') ?? newest
  if (!newest?.from_address_id || !paying) throw new Error(`${row.id} has no attempt to replace`)
  const payload = evmPayload(paying)
  const native = nativeCoin(adapter.network)
  const built = await adapter.replace({
    purpose,
    from: payload.from,
    derivationPath: payload.derivation_path,
    nonce: payload.nonce,
    call: payload,
    before: highestPrices([...attempts, ...wanted.unanswered]),
    priority: wanted.priority,
    feeLimit: wanted.feeLimit,
  })
  if (built.kind === 'fee_too_high') {
    const text = (wei: bigint) => `${formatAmount(wei, native.decimals)} ${native.name}`
    return {
      kind: 'waiting',
      code: 'FEE_LIMIT_REACHED',
      message: `A further attempt may have to cost ${text(built.fee)}, more than the limit of ${text(wanted.feeLimit)}; the same bytes are sent on`,
    }
  }
  // A recipient who pays the fee receives less as the fee rises, as the intent says.
  const byRecipient = purpose === 'pay' && row.fee_payer === 'recipient'
  const amount = purpose === 'cancel' ? 0n : byRecipient ? row.amount - built.maxFee : paying.amount
  const { height } = await adapter.head()
  const nativeBalance = await adapter.balance(payload.from, native.name)
  const coin = purpose === 'cancel' ? native.name : paying.coin
  const result = await queueReplacement(sql, row.id, {
    family: 'evm',
    signerId: newest.signer_id,
    purpose,
    cause: wanted.cause,
    priority: wanted.priority,
    coin,
    amount,
    maxFee: built.maxFee,
    payload: byRecipient ? { ...built.payload, value: amount.toString() } : built.payload,
    fromAddressId: newest.from_address_id,
    nativeCoin: native.name,
    balance: {
      coin: coin === native.name ? nativeBalance : await adapter.balance(payload.from, coin),
      native: nativeBalance,
      height,
    },
  })
  if (result === 'queued') return { kind: 'queued' }
  if (result !== 'short') return { kind: 'gone' }
  return {
    kind: 'waiting',
    code: 'INSUFFICIENT_WALLET_FUNDS',
    message: `The wallet ${payload.from} has too little ${native.name} for an attempt at a higher fee; fund it`,
  }
}
