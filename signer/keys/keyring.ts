/** Derives the keys of one seed on demand (BIP-32), and keeps them in memory only. */

import { createHash } from 'node:crypto'
import { ripemd160 } from '@noble/hashes/legacy.js'
import { BIP32Factory, type BIP32Interface } from 'bip32'
import * as ecc from 'tiny-secp256k1'

const bip32 = BIP32Factory(ecc)

/** Most leaf keys that are cached. Nodes of accounts and branches are few and stay. */
const MAX_LEAVES = 20_000

/** A key that may pay. */
export interface LeafKey {
  readonly privateKey: Uint8Array
  /** Compressed public key. */
  readonly publicKey: Uint8Array
  /** Uncompressed public key, 65 bytes. Verifying with it saves the square root. */
  readonly point: Uint8Array
  /** HASH160 of the compressed public key. */
  readonly keyHash: Uint8Array
}

/** Keys of one seed. */
export interface Keyring {
  /** Master fingerprint in lower-case hex. */
  readonly fingerprint: string
  /**
   * Returns the key at a path. The nodes on the way are cached, so that a signature costs no derivation from
   * the seed.
   */
  at(path: readonly number[]): LeafKey
  /** Returns the extended public key of an account, with a network's version bytes. */
  xpub(path: readonly number[], version: { readonly public: number; readonly private: number }): string
  /** Returns the compact ECDSA signature by the key at a path. @param digest - 32 bytes. */
  sign(path: readonly number[], digest: Uint8Array): Uint8Array
}

/** Opens a keyring. @param seed - 64 bytes of BIP-39. */
export function openKeyring(seed: Uint8Array): Keyring {
  const root = bip32.fromSeed(seed)
  const nodes = new Map<string, BIP32Interface>()
  const leaves = new Map<string, LeafKey>()

  function node(path: readonly number[]): BIP32Interface {
    const last = path.at(-1)
    if (last === undefined) return root
    const name = path.join('/')
    const known = nodes.get(name)
    if (known) return known
    const derived = derive(node(path.slice(0, -1)), last)
    nodes.set(name, derived)
    return derived
  }

  function at(path: readonly number[]): LeafKey {
    const name = path.join('/')
    const known = leaves.get(name)
    if (known) return known
    const last = path.at(-1)
    if (last === undefined) throw new RangeError('The master key itself is never used')
    const derived = derive(node(path.slice(0, -1)), last)
    if (!derived.privateKey) throw new Error('The derived key has no private part')
    const leaf: LeafKey = {
      privateKey: derived.privateKey,
      publicKey: derived.publicKey,
      point: ecc.pointCompress(derived.publicKey, false),
      keyHash: hash160(derived.publicKey),
    }
    const oldest = leaves.keys().next()
    if (leaves.size >= MAX_LEAVES && !oldest.done) leaves.delete(oldest.value)
    leaves.set(name, leaf)
    return leaf
  }

  return {
    fingerprint: Buffer.from(root.fingerprint).toString('hex'),
    at,
    xpub(path, version) {
      // This happens only at enrolment, so the root with the network's version bytes is not cached.
      const start: BIP32Interface = bip32.fromSeed(seed, { wif: 0, bip32: { ...version } })
      return path.reduce(derive, start).neutered().toBase58()
    },
    sign(path, digest) {
      return node(path).sign(digest)
    },
  }
}

function derive(parent: BIP32Interface, index: number): BIP32Interface {
  return index >= 0x8000_0000 ? parent.deriveHardened(index - 0x8000_0000) : parent.derive(index)
}

function hash160(bytes: Uint8Array): Uint8Array {
  return ripemd160(createHash('sha256').update(bytes).digest())
}
