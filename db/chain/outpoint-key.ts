import { matchKey } from '../../domain/chain/match-key.js'

/**
 * The signed 64-bit key under which an outpoint is found: the first 8 bytes of its transaction's id (see
 * 006_chain.sql).
 */
export function outpointKey(txid: string): bigint {
  return matchKey(txid.startsWith('0x') ? txid.slice(2) : txid)
}
