/** Derives public keys below an extended public key (BIP-32). */

import { BIP32Factory, type BIP32Interface } from 'bip32'
import * as ecc from 'tiny-secp256k1'

const bip32 = BIP32Factory(ecc)
/** Version bytes of extended keys, by the beginning of their text. */
const VERSIONS: Readonly<Record<string, { readonly public: number; readonly private: number }>> = {
  xpub: { public: 0x0488b21e, private: 0x0488ade4 },
  xprv: { public: 0x0488b21e, private: 0x0488ade4 },
  tpub: { public: 0x043587cf, private: 0x04358394 },
  tprv: { public: 0x043587cf, private: 0x04358394 },
}
/**
 * Cache of branches: parsing an extended key and deriving its branch costs as much as deriving the key
 * itself.
 */
const branches = new Map<string, BIP32Interface>()
const MAX_BRANCHES = 10_000

/**
 * Derives the compressed public key (33 bytes) at `branch/index` below an account's `xpub…` or `tpub…`.
 *
 * @throws Error if the extended key is malformed or private.
 */
export function derivePublicKey(xpub: string, branch: number, index: number): Uint8Array {
  return branchKey(xpub, branch).derive(index).publicKey
}

/** Returns the version bytes of an extended key. @throws Error if they are unknown. */
export function xpubVersion(xpub: string): number {
  const versions = VERSIONS[xpub.slice(0, 4)]
  if (!versions) throw new Error('The extended key begins with neither xpub nor tpub')
  return versions.public
}

function branchKey(xpub: string, branch: number): BIP32Interface {
  const id = `${branch}:${xpub}`
  const known = branches.get(id)
  if (known) return known
  const versions = VERSIONS[xpub.slice(0, 4)]
  if (!versions) throw new Error('The extended key begins with neither xpub nor tpub')
  const account = bip32.fromBase58(xpub, {
    messagePrefix: '',
    bech32: '',
    bip32: versions,
    pubKeyHash: 0,
    scriptHash: 0,
    wif: 0,
  })
  if (!account.isNeutered()) throw new Error('This is a private key; only extended public keys belong here')
  if (branches.size >= MAX_BRANCHES) branches.clear()
  const derived = account.derive(branch)
  branches.set(id, derived)
  return derived
}
