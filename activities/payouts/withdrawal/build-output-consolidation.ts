/**
 * Builds the transaction that consolidates many small outputs into one: exactly the planned ones, or none.
 */

import { z } from 'zod'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { findChangeAddress } from '../../../db/payouts/attempts/list-spendable-outputs.js'
import { queueTransaction } from '../../../db/payouts/attempts/queue-transaction.js'
import { listFreeOutputs } from '../../../db/payouts/movements/list-small-outputs.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import type { BuildFailure, BuildStep } from './build-step.js'
import type { WithdrawalChainDependencies } from './dependencies.js'
import { keyOf, spendable } from './own-output.js'

const details = z.object({ outpoints: z.array(z.object({ txid: z.string(), vout: z.int() })).min(1) })

/**
 * Spends exactly the planned outputs. Their sum is the row's amount, so if one of them is gone the movement
 * fails and another is planned.
 */
export async function buildOutputConsolidation(
  { sql, networks }: WithdrawalChainDependencies,
  adapter: UtxoAdapter,
  row: PayoutRow,
): Promise<BuildStep | BuildFailure> {
  const { network } = adapter
  const { outpoints } = details.parse(row.metadata)
  const taken: BuildFailure = {
    kind: 'failed',
    code: 'OUTPUTS_TAKEN',
    message: 'Another payout has taken an output that was to be consolidated',
  }
  const outputs = await listFreeOutputs(sql, network.name, outpoints)
  if (outputs.length < outpoints.length) return taken
  const change = await findChangeAddress(sql, row)
  const built = await adapter.build({
    outputs: [{ address: row.to_address, amount: row.amount }],
    change: keyOf(network, change),
    candidates: [],
    required: outputs.map((output) => spendable(network, output)),
    feeRate: await adapter.feeRate('low'),
    feeLimit: row.fee_limit,
    feePayer: 'recipient',
  })
  if (built.kind !== 'built') {
    return { kind: 'waiting', code: 'FEE_TOO_HIGH', message: 'Waits for the network to become cheaper' }
  }
  const result = await queueTransaction(sql, networks, row.id, {
    family: 'utxo',
    signerId: change.signer_id,
    coin: row.coin,
    amount: built.paid,
    maxFee: built.fee,
    fromAddress: built.inputs[0]?.address ?? row.to_address,
    payload: built.payload,
    vsize: built.vsize,
    inputs: outputs.map((output) => ({
      addressId: output.address_id,
      txid: output.txid,
      vout: output.vout,
      amount: output.amount,
    })),
    change: null,
  })
  return result === 'raced' ? taken : { kind: 'done' }
}
