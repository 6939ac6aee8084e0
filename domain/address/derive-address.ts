/**
 * Derives addresses from extended public keys (BIP-32), for the platform, the client and the tests of the
 * signer.
 */

import { bytesToHex } from '@noble/hashes/utils.js'
import { payments } from 'bitcoinjs-lib'
import { byFamily } from '../chain/by-family.js'
import type { Network, UtxoNetwork } from '../chain/network.js'
import { encodeCashAddress } from './cashaddr.js'
import { derivePublicKey, xpubVersion } from './derive-public-key.js'
import { checksumAddress } from './eip55.js'
import { evmPayee } from './evm-payee.js'

/**
 * Version bytes of EVM wallets' exported keys. They have none of their own and use those of Bitcoin's main
 * network.
 */
const EVM_XPUB_VERSION = 0x0488b21e

export interface DerivationRequest {
  readonly network: Network
  /** Extended public key of the account, e.g. of `m/84'/1'/0'`. */
  readonly xpub: string
  /** Branch: 0 receives, 1 takes change. */
  readonly branch: number
  readonly index: number
}

export interface DerivedAddress {
  /** Canonical form of the network: bech32, CashAddr with its prefix, or EIP-55. */
  readonly address: string
  /** Lower-case hex of the 20 bytes that are paid: HASH160 of the key, or the EVM address. */
  readonly payee: string
  /** Lower-case hex of the compressed key (33 bytes). */
  readonly publicKey: string
  /** Path below the account, such as `0/7`. */
  readonly pathSuffix: string
}

/**
 * Derives an address: P2WPKH (BIP-84) or P2PKH (BIP-44) on chains of the Bitcoin family, BIP-44 on EVM
 * chains.
 *
 * @throws Error if the xpub is malformed, of another network, or a private key.
 */
export function deriveAddress({ network, xpub, branch, index }: DerivationRequest): DerivedAddress {
  const version = byFamily(network, { utxo: ({ bip32 }) => bip32.public, evm: () => EVM_XPUB_VERSION })
  if (xpubVersion(xpub) !== version) {
    throw new Error(`The extended key is not one of ${network.name}`)
  }
  const key = derivePublicKey(xpub, branch, index)
  const paid = byFamily(network, { utxo: (utxo) => utxoAddress(utxo, key), evm: () => evmAddress(key) })
  return { ...paid, publicKey: bytesToHex(key), pathSuffix: `${branch}/${index}` }
}

type Paid = Pick<DerivedAddress, 'address' | 'payee'>

function evmAddress(key: Uint8Array): Paid {
  const payee = evmPayee(key)
  return { address: checksumAddress(payee), payee }
}

function utxoAddress(network: UtxoNetwork, key: Uint8Array): Paid {
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
  return { address, payee: bytesToHex(payment.hash) }
}
