/**
 * The sender on the local Ethereum chain whose deposits are held, so that a release and a rejection can be
 * tried.
 */

import { privateKeyToAccount } from 'viem/accounts'
import type { StackState } from './state.js'

/** Returns the sender's address and key, as `stack.json` shows them. */
export function heldSender(state: Pick<StackState, 'held_sender_key'>) {
  const private_key = state.held_sender_key as `0x${string}`
  return { address: privateKeyToAccount(private_key).address, private_key }
}
