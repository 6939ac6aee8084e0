/** The merchant's own outputs, in the form in which the builders of UTXO payloads take them. */

import type { SpendableOutput, UtxoBuildRequest } from '../../../chains/adapter.js'
import type { UnspentOutput } from '../../../db/payouts/attempts/list-spendable-outputs.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import { deriveAddress } from '../../../domain/address/derive-address.js'
import type { UtxoNetwork } from '../../../domain/chain/network.js'

/** Returns the key of an own address, as the adapter takes it. */
export function keyOf(network: UtxoNetwork, output: Omit<UnspentOutput, 'txid' | 'vout' | 'amount'>) {
  const { xpub, branch, index } = output
  return {
    address: output.address,
    path: output.derivation_path,
    publicKey: deriveAddress({ network, xpub, branch, index }).publicKey,
    masterFingerprint: output.master_fingerprint,
  }
}

/** Returns an own output, as the adapter takes it. */
export function spendable(network: UtxoNetwork, output: UnspentOutput): SpendableOutput {
  return { ...keyOf(network, output), txid: output.txid, vout: output.vout, amount: output.amount }
}

/** Returns what a payout pays: one address, or the items of a part of a batch in their order. */
export function paidOutputs(
  row: Pick<PayoutRow, 'to_address' | 'amount' | 'outputs'>,
): UtxoBuildRequest['outputs'] {
  if (row.outputs === null) return [{ address: row.to_address, amount: row.amount }]
  return row.outputs.map(({ address, amount }) => ({ address, amount: BigInt(amount) }))
}
