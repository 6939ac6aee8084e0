/** Builds the transaction of a payout on a UTXO network. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { UtxoAdapter, UtxoBuildRequest, UtxoBuildResult } from '../../../chains/adapter.js'
import {
  findChangeAddress,
  listSpendableOutputs,
} from '../../../db/payouts/attempts/list-spendable-outputs.js'
import { queueTransaction } from '../../../db/payouts/attempts/queue-transaction.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import { nativeCoin } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import { buildOutputConsolidation } from './build-output-consolidation.js'
import type { BuildFailure, BuildStep, UnpayableItem } from './build-step.js'
import type { WithdrawalChainDependencies } from './dependencies.js'
import { keyOf, paidOutputs, spendable } from './own-output.js'

/** Most outpoint races that one step may lose. After that the workflow's next try selects coins again. */
const MOST_RACES = 10
/** Longest turn of one builder. A builder that hangs must not stop the wallet's queue. */
const LONGEST_TURN_MS = 10_000
/** Longest wait of a builder for its turn, less than a step may take. After that it leaves the queue. */
const LINE_PATIENCE_MS = 30_000
/**
 * Queues of the builders in this process, one for each wallet, so that they do not select the same coins.
 * Builders in other processes compete at the index.
 */
const lanes = new Map<string, Promise<unknown>>()

/**
 * Selects coins, makes the PSBT and reserves its outpoints. Selects again after losing a race for an
 * outpoint.
 */
export async function buildUtxo(
  dependencies: WithdrawalChainDependencies,
  adapter: UtxoAdapter,
  row: PayoutRow,
): Promise<BuildStep | BuildFailure | UnpayableItem> {
  const step = await inLane(`${row.merchant_id}:${row.network}`, async () => {
    if (row.kind === 'consolidation') return buildOutputConsolidation(dependencies, adapter, row)
    for (let race = 0; race < MOST_RACES; race++) {
      const step = await select(dependencies, adapter, row)
      if (step !== 'raced') return step
    }
    return null
  })
  return (
    step ?? {
      kind: 'waiting',
      code: 'OUTPUTS_BUSY',
      message: 'Other payouts reserve the same outputs; selecting again',
    }
  )
}

async function select(
  { sql, networks }: WithdrawalChainDependencies,
  adapter: UtxoAdapter,
  row: PayoutRow,
): Promise<BuildStep | BuildFailure | UnpayableItem | 'raced'> {
  const { network } = adapter
  const outputs = await listSpendableOutputs(sql, row, network.confirmations)
  const change = await findChangeAddress(sql, row)
  const built = await build(adapter, row, {
    outputs: paidOutputs(row),
    change: keyOf(network, change),
    candidates: outputs.map((output) => spendable(network, output)),
    required: [],
    feeRate: await adapter.feeRate(row.priority),
    feeLimit: row.fee_limit,
    feePayer: row.fee_payer,
  })
  if (built.kind === 'unpayable' || built.kind === 'failed') return built
  const coin = nativeCoin(network)
  if (built.kind === 'insufficient_funds') {
    return {
      kind: 'waiting',
      code: 'INSUFFICIENT_WALLET_FUNDS',
      message: `Confirmed and unreserved outputs lack ${formatAmount(built.missing, coin.decimals)} ${coin.name}`,
    }
  }
  if (built.kind === 'too_many_inputs') {
    return {
      kind: 'waiting',
      code: 'CONSOLIDATION_NEEDED',
      message: `Enough is there, but in too many small outputs for one transaction, which lacks ${formatAmount(built.missing, coin.decimals)} ${coin.name}; it goes on once they are consolidated (POST /movements/consolidate)`,
    }
  }
  if (built.kind === 'fee_too_high') {
    return {
      kind: 'waiting',
      code: 'FEE_TOO_HIGH',
      message: `The network asks for a fee of ${formatAmount(built.fee, coin.decimals)} ${coin.name}, more than the limit of ${formatAmount(row.fee_limit, coin.decimals)}`,
    }
  }
  const byOutpoint = new Map(outputs.map((output) => [`${output.txid}:${output.vout}`, output]))
  const inputs = built.inputs.map((input) => {
    const output = byOutpoint.get(`${input.txid}:${input.vout}`)
    if (!output) throw new Error(`The adapter spent ${input.txid}:${input.vout}, which was not offered`)
    return { addressId: output.address_id, txid: output.txid, vout: output.vout, amount: output.amount }
  })
  const [first] = built.inputs
  const result = await queueTransaction(sql, networks, row.id, {
    family: 'utxo',
    signerId: change.signer_id,
    coin: row.coin,
    amount: built.paid,
    maxFee: built.fee,
    fromAddress: first?.address ?? change.address,
    payload: built.payload,
    vsize: built.vsize,
    inputs,
    change: built.change > 0n ? { addressId: change.address_id, amount: built.change } : null,
  })
  return result === 'raced' ? 'raced' : { kind: 'done' }
}

/**
 * Builds the PSBT. An output that cannot be paid is returned as an item when it belongs to a batch, and fails
 * the payout otherwise.
 */
async function build(
  adapter: UtxoAdapter,
  { outputs }: PayoutRow,
  request: UtxoBuildRequest,
): Promise<UtxoBuildResult | BuildFailure | UnpayableItem> {
  try {
    return await adapter.build(request)
  } catch (error) {
    const at = error instanceof KeyturnError ? error.details.output : undefined
    // An error that names no output of the request is about something else, such as a coin or an address of
    // the merchant.
    if (!(error instanceof KeyturnError) || at === undefined) throw error
    const { code, message } = error
    const item = outputs?.[Number(at)]
    return item ? { kind: 'unpayable', index: item.index, code, message } : { kind: 'failed', code, message }
  }
}

/**
 * Joins the end of a queue, and runs the step when its turn comes. The queue goes on when the step ends, or
 * hangs.
 *
 * @returns What the step returns. `null`, without having run it, when its turn did not come in time.
 */
async function inLane<T>(key: string, step: () => Promise<T>): Promise<T | null> {
  let left = false
  const turn = (lanes.get(key) ?? Promise.resolve()).then(() => {})
  const result = turn.then(() => (left ? null : step()))
  const settled = result.then(
    () => {},
    () => {},
  )
  const through = turn.then(() => Promise.race([settled, after(LONGEST_TURN_MS)]))
  lanes.set(key, through)
  void through.then(() => {
    if (lanes.get(key) === through) lanes.delete(key)
  })
  const came = await Promise.race([turn.then(() => true), after(LINE_PATIENCE_MS).then(() => false)])
  if (came) return result
  left = true
  return null
}

/** Returns a promise of a delay that keeps no process alive. */
function after(ms: number): Promise<unknown> {
  return sleep(ms, undefined, { ref: false })
}
