/** Names the causes of exceptions about coins that came in and are not in the books. */

/**
 * Returns the cause of a payment that the watcher missed.
 *
 * @param place - Outpoint, or the address and coin whose balance is too high. Empty: the begin of all causes.
 */
export function missedCause(network: string, place: string): string {
  return `missed:${network}:${place}`
}

/** `validator_withdrawal`: named by its block. `unexplained`: only the balance shows it. */
export type RiseSource = 'validator_withdrawal' | 'unexplained'

/** Returns the cause of a rise of a balance that no transaction made. */
export function riseCause(addressId: string, coin: string, source: RiseSource, reference: string): string {
  return `rise:${addressId}:${coin}:${source}:${reference}`
}
