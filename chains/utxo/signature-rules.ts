/** Names the rules by which a chain checks signatures. */

import type { UtxoNetwork } from '../../domain/chain/network.js'

/**
 * Rules of signatures. `bitcoin`: BIP-143 in witnesses, the original digest in scriptSigs. `bitcoin-cash`:
 * SIGHASH_FORKID everywhere.
 */
export type SignatureRules = 'bitcoin' | 'bitcoin-cash'

/** SIGHASH_ALL with SIGHASH_FORKID, the only accepted type of signature on Bitcoin Cash. */
export const SIGHASH_ALL_FORKID = 0x41

/** Returns the rules of a network's signatures. Networks with CashAddr have Bitcoin Cash's. */
export function signatureRules(network: UtxoNetwork): SignatureRules {
  return network.address.cashaddr === null ? 'bitcoin' : 'bitcoin-cash'
}
