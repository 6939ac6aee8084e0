/** Computes the key of an outpoint. */

import { matchKey } from '../../domain/chain/match-key.js'

/**
 * Returns the signed 64-bit key of an outpoint: the first 8 bytes of its transaction's id (see
 * 006_chain.sql).
 */
export function outpointKey(txid: string): bigint {
  return matchKey(txid.startsWith('0x') ? txid.slice(2) : txid)
}
