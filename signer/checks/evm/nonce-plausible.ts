import { type Check, type EvmContext, refuse } from '../check.js'

/**
 * Not far above what is known of the account: a payment at a nonce that nobody comes to is held back for as long as the platform
 * likes, also past its expiry. What the journal does not know of an account's past the operator states in the policy.
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
