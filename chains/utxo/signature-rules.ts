/** Names the rules by which a chain checks signatures. */

import type { UtxoNetwork } from '../../domain/chain/network.js'

/** `bitcoin`: BIP-143 in witnesses, the original digest in scriptSigs. `bitcoin-cash`: SIGHASH_FORKID everywhere. */
export type SignatureRules = 'bitcoin' | 'bitcoin-cash'

/** SIGHASH_ALL with SIGHASH_FORKID, the only type of signature that pays on Bitcoin Cash here. */
export const SIGHASH_ALL_FORKID = 0x41

/** By which rules a network's signatures are made: those that use cashaddr have Bitcoin Cash's. */
export function signatureRules(network: UtxoNetwork): SignatureRules {
  return network.address.cashaddr === null ? 'bitcoin' : 'bitcoin-cash'
}
