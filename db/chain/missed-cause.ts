/** Names the cause of the exception for a payment that the watcher missed. */

/** @param place - Outpoint, or the address, coin and block of a rise. */
export function missedCause(network: string, place: string): string {
  return `missed:${network}:${place}`
}
