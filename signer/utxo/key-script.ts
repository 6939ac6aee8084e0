/** Returns the script that a key of this seed can spend, by the kind of its network. */

import { p2wpkhScript } from './p2wpkh.js'
import { SIGHASH_ALL } from './segwit-sighash.js'

/** Kind of script: `p2wpkh` (BIP-141), or P2PKH whose signatures carry SIGHASH_FORKID (Bitcoin Cash). */
export type KeyScriptKind = 'p2wpkh' | 'p2pkh-forkid'

/**
 * SIGHASH_ALL with SIGHASH_FORKID (0x40). The digest commits to amounts as BIP-143's does, and no other chain
 * accepts it.
 */
const SIGHASH_ALL_FORKID = 0x41

/** Signature type of each kind. */
export const SIGHASH_OF: Readonly<Record<KeyScriptKind, number>> = {
  p2wpkh: SIGHASH_ALL,
  'p2pkh-forkid': SIGHASH_ALL_FORKID,
}

/** Returns the script that pays to the key with this HASH160. */
export function keyScript(kind: KeyScriptKind, keyHash: Uint8Array): Buffer {
  if (kind === 'p2wpkh') return p2wpkhScript(keyHash)
  return Buffer.concat([Buffer.from([0x76, 0xa9, 0x14]), keyHash, Buffer.from([0x88, 0xac])])
}
