/** Addresses from extended public keys (BIP-32): the same in the platform, the client and the tests of the signer. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { BIP32Factory, type BIP32Interface } from 'bip32'
import { payments } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import type { Network } from '../network.js'
import { encodeCashAddress } from './cashaddr.js'
import { checksumAddress } from './eip55.js'

const bip32 = BIP32Factory(ecc)
/** EVM wallets export keys with Bitcoin's mainnet version bytes, for want of their own (SLIP-132 has none). */
const EVM_BIP32 = { public: 0x0488b21e, private: 0x0488ade4 }
/** Parsing an xpub and deriving its branch costs as much as the address itself. */
const branches = new Map<string, BIP32Interface>()
const MAX_BRANCHES = 10_000

export interface DerivationRequest {
  readonly network: Network
  /** Extended public key of the account, e.g. of `m/84'/1'/0'`. */
  readonly xpub: string
  /** 0 receives, 1 takes change. */
  readonly branch: number
  readonly index: number
}

export interface DerivedAddress {
  /** In the network's canonical form: bech32, CashAddr with its prefix, EIP-55. */
  readonly address: string
  /** Lower-case hex of the 20 bytes that are paid: HASH160 of the key, or the EVM address. */
  readonly payee: string
  /** Lower-case hex, compressed (33 bytes). */
  readonly publicKey: string
  /** Below the account: `0/7`. */
  readonly pathSuffix: string
}

/**
 * Derives an address: P2WPKH (BIP-84) or P2PKH (BIP-44) on chains of the Bitcoin family, BIP-44 on EVM chains.
 *
 * @throws Error when the xpub is malformed, of another network, or a private key.
 */
export function deriveAddress({ network, xpub, branch, index }: DerivationRequest): DerivedAddress {
  const key = branchKey(network, xpub, branch).derive(index).publicKey
  const publicKey = bytesToHex(key)
  const pathSuffix = `${branch}/${index}`
  if (network.family === 'evm') {
    // The address is the hash of the uncompressed key; a compressed one gives a valid-looking address that nobody owns.
    const payee = bytesToHex(keccak_256(ecc.pointCompress(key, false).subarray(1)).subarray(12))
    return { address: checksumAddress(payee), payee, publicKey, pathSuffix }
  }
  const parameters = {
    messagePrefix: '',
    bech32: network.address.bech32 ?? '',
    bip32: network.bip32,
    pubKeyHash: network.address.pubKeyHash,
    scriptHash: network.address.scriptHash,
    wif: 0,
  }
  const payment =
    network.script === 'p2wpkh'
      ? payments.p2wpkh({ pubkey: key, network: parameters })
      : payments.p2pkh({ pubkey: key, network: parameters })
  if (!payment.hash || !payment.address) throw new Error('The key gave no address')
  const address =
    network.address.cashaddr === null
      ? payment.address
      : encodeCashAddress(network.address.cashaddr, { kind: 'p2pkh', hash: payment.hash })
  return { address, payee: bytesToHex(payment.hash), publicKey, pathSuffix }
}

function branchKey(network: Network, xpub: string, branch: number): BIP32Interface {
  const versions = network.family === 'evm' ? EVM_BIP32 : network.bip32
  const id = `${versions.public}:${xpub}:${branch}`
  const known = branches.get(id)
  if (known) return known
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
