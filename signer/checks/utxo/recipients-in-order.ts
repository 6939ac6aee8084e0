import { sameScript } from '../../utxo/p2wpkh.js'
import { type Check, refuse, type UtxoContext } from '../check.js'

/**
 * Several recipients are paid in the order of the intent, before the change, so that each output belongs to
 * a known item.
 */
export const recipientsInOrder: Check<UtxoContext> = {
  name: 'recipients-in-order',
  purpose: 'pay',
  run(context) {
    const { outputs } = context.utxo.psbt.transaction
    const { wanted } = context.utxo
    if (wanted.length < 2) return null
    const wrong = wanted.findIndex((each, at) => {
      const output = outputs[at]
      return !output || output.amount !== each.amount || !sameScript(output.script, each.script)
    })
    if (wrong === -1) return null
    return refuse('OUTPUT_NOT_ALLOWED', `Output ${wrong} is not the item that was approved in its place`)
  },
}
