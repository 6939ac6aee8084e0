import { type Check, type EvmContext, refuse } from '../check.js'

/**
 * The nonce may not lie far above those that the journal knows of the account. A platform could hold back a
 * payout at a nonce that the account does not reach for as long as it likes, also past its expiry. The
 * operator states in the policy what the journal does not know of an account's past.
 */
export const noncePlausible: Check<EvmContext> = {
  name: 'nonce-plausible',
  run({ payload, network, state }) {
    const from = payload.from.toLowerCase()
    const highest = state.journal.records.highestNonce(network.chainId, from)
    const next = Math.max(highest === null ? 0 : highest + 1, network.firstNonces.get(from) ?? 0)
    if (payload.nonce < next + network.maxNoncesAhead) return null
    return refuse(
      'NONCE_CONFLICT',
      `Nonce ${payload.nonce} of ${payload.from} is too far ahead: the next one known here is ${next}`,
    )
  },
}
