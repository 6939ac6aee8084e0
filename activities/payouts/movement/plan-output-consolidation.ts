/** Decides whether many small outputs of a UTXO network become one, while the network's fees are low. */

import type { UtxoAdapter } from '../../../chains/adapter.js'
import { least } from '../../../chains/evm/send/least.js'
import { MAX_PAYLOAD_BYTES } from '../../../chains/utxo/spend/build-payout.js'
import { inTransaction, type Sql } from '../../../db/connect.js'
import { findPause } from '../../../db/controls/pauses/find-pause.js'
import { findChangeAddress, type UnspentOutput } from '../../../db/payouts/attempts/list-spendable-outputs.js'
import { createMovement, NO_APPROVAL } from '../../../db/payouts/movements/create-movement.js'
import { findOutputConsolidation } from '../../../db/payouts/movements/find-output-consolidation.js'
import { listSmallOutputs } from '../../../db/payouts/movements/list-small-outputs.js'
import { readWithdrawalInput } from '../../../db/payouts/read-withdrawal-input.js'
import { findMasterWallet } from '../../../db/wallets/find-master-wallet.js'
import { nativeCoin } from '../../../domain/chain/network.js'
import { explainPause } from '../../../domain/controls/settlement-pause.js'
import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import { highestWorthwhileFee, isWorth } from '../../../domain/payouts/treasury.js'
import type { ConsolidationInput } from '../../../temporal/inputs.js'
import type { WithdrawalChainDependencies } from '../withdrawal/dependencies.js'
import { keyOf, spendable } from '../withdrawal/own-output.js'
import { type LastMovement, type PlanStep, treasuryOf } from './plan-step.js'

/** Most inputs of one transaction. Nodes relay, and adapters build, a few more. */
const MOST = 200
const FEWEST = 2
/**
 * Virtual bytes of an input, rounded up. An output that is worth less than spending it costs stays where it
 * is.
 */
const INPUT_BYTES = { p2wpkh: 69n, p2pkh: 149n } as const

/** Plans one consolidation of outputs for a merchant. `input.id` is the merchant's id. */
export async function planOutputConsolidation(
  { sql, networks }: WithdrawalChainDependencies,
  adapter: UtxoAdapter,
  input: ConsolidationInput,
  last: LastMovement | null,
): Promise<PlanStep> {
  const { network } = adapter
  const coin = nativeCoin(network)
  const rules = treasuryOf(networks, network.name)
  if (last && last.stage !== 'confirmed') {
    return { kind: 'nothing', message: `${last.id} ended ${last.stage}` }
  }
  const open = await findOutputConsolidation(sql, input.merchantId, network.name)
  const known = open && (await readWithdrawalInput(sql, networks, open))
  if (known) return { kind: 'move', movement: known }
  const rail = { merchantId: input.merchantId, network: network.name, coin: coin.name }
  const pause = await findPause(sql, rail)
  if (pause) return { kind: 'nothing', message: explainPause(pause) }
  if (!rules.outputs) return { kind: 'nothing', message: 'Outputs are not gathered on this network' }
  const { maxFeeRate, maxFeePercent, small, count } = rules.outputs
  const feeRate = await adapter.feeRate('low')
  if (feeRate > maxFeeRate) {
    return { kind: 'nothing', message: `At ${feeRate} a byte it is too dear now; ${maxFeeRate} would do` }
  }
  const cost = INPUT_BYTES[network.script] * BigInt(Math.ceil(feeRate))
  const worthwhile = (await listSmallOutputs(sql, input.merchantId, network, small, MOST)).filter((output) =>
    isWorth(output.amount, cost, maxFeePercent),
  )
  // A person's request is served by the first transaction; after it the usual minimum applies again.
  const fewest = input.requested && !last ? FEWEST : Math.max(FEWEST, count)
  if (worthwhile.length < fewest) {
    return { kind: 'nothing', message: `${worthwhile.length} small outputs are few` }
  }
  const to = await findMasterWallet(sql, input.merchantId, network.name)
  if (to === null) return { kind: 'nothing', message: 'There is no master wallet' }
  const planned = await quote(sql, adapter, input.merchantId, to, worthwhile, feeRate, maxFeePercent)
  if (planned === null) {
    return { kind: 'nothing', message: 'The fee is too much for what would be gathered' }
  }
  const { outputs, total, fee, feeLimit } = planned
  const cause = `${outputs.length} small outputs, ${formatAmount(total, coin.decimals)} ${coin.name} in all, into one`
  try {
    const id = await inTransaction(sql, (tx) =>
      createMovement(tx, networks, {
        kind: 'consolidation',
        merchantId: input.merchantId,
        network,
        coin,
        amount: total,
        from: null,
        toAddress: to,
        feePayer: 'recipient',
        fee,
        feeLimit,
        requirement: NO_APPROVAL,
        details: { cause, outpoints: outputs.map(({ txid, vout }) => ({ txid, vout })) },
        expiryMs: rules.consolidation.expiryMs,
      }),
    )
    const movement = id === null ? null : await readWithdrawalInput(sql, networks, id)
    return movement ? { kind: 'move', movement } : { kind: 'again' }
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'INSUFFICIENT_BALANCE') throw error
    return { kind: 'nothing', message: 'The merchant’s own account cannot bear the fee' }
  }
}

/**
 * Builds the transaction for its fee. If a signer cannot take all parents of the outputs, spends as many as
 * it can. `null` when it is not worth its fee.
 */
async function quote(
  sql: Sql,
  adapter: UtxoAdapter,
  merchantId: string,
  to: string,
  all: readonly UnspentOutput[],
  feeRate: number,
  maxFeePercent: number,
): Promise<{ outputs: readonly UnspentOutput[]; total: bigint; fee: bigint; feeLimit: bigint } | null> {
  const { network } = adapter
  const change = await findChangeAddress(sql, { merchant_id: merchantId, network: network.name })
  let outputs = all
  for (;;) {
    const total = outputs.reduce((sum, output) => sum + output.amount, 0n)
    const feeLimit = least(highestWorthwhileFee(total, maxFeePercent), network.fees.maxTotal)
    const built = await adapter.build({
      outputs: [{ address: to, amount: total }],
      change: keyOf(network, change),
      candidates: [],
      required: outputs.map((output) => spendable(network, output)),
      feeRate,
      feeLimit,
      feePayer: 'recipient',
    })
    if (built.kind !== 'built') return null
    const bytes = built.payload.psbt.length
    if (bytes <= MAX_PAYLOAD_BYTES || outputs.length <= FEWEST) {
      return { outputs, total, fee: built.fee, feeLimit }
    }
    // A little fewer than the average allows, because parents differ in size.
    const fitting = Math.floor((outputs.length * MAX_PAYLOAD_BYTES * 0.95) / bytes)
    outputs = outputs.slice(0, Math.max(FEWEST, fitting))
  }
}
