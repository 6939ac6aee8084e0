import { type Check, refuse, type UtxoContext } from '../check.js'

/** Change lies near the change before it, so that a wallet that is restored from its seed finds it. */
export const changeNearKnown: Check<UtxoContext> = {
  name: 'change-near-known',
  run({ utxo, network, state }) {
    const bound = state.journal.records.highestChange(network.caip2) + network.maxChangeAhead
    const far = utxo.extra.find((output) => (output.path?.at(-1) ?? 0) > bound)
    return far
      ? refuse(
          'CHANGE_NOT_MINE',
          `The change in output ${far.index} lies beyond index ${bound} of this wallet`,
        )
      : null
  },
}
