import { dustLimit } from '../../utxo/dust-limit.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/** Nodes relay no transaction with an output below dust, so it would only tie up the coins. */
export const outputsAboveDust: Check<UtxoContext> = {
  name: 'outputs-above-dust',
  run({ utxo, network }) {
    const { outputs } = utxo.psbt.transaction
    const index = outputs.findIndex((output) => output.amount < dustLimit(output.script, network.dustRate))
    const dust = outputs[index]
    if (!dust) return null
    return refuse('AMOUNT_MISMATCH', `Output ${index} is ${dust.amount}, which is dust: no node relays it`)
  },
}
