/**
 * Parses an address that a person typed: checks checksum, network and type, and returns the canonical form.
 */

import { bytesToHex } from '@noble/hashes/utils.js'
import { address as bitcoinAddress } from 'bitcoinjs-lib'
import { isXOnlyPoint } from 'tiny-secp256k1'
import { byFamily } from '../chain/by-family.js'
import type { EvmNetwork, Network, UtxoNetwork } from '../chain/network.js'
import { KeyturnError } from '../errors.js'
import { decodeCashAddress, encodeCashAddress, readCashAddress } from './cashaddr.js'
import { checksumAddress } from './eip55.js'

export interface ParsedAddress {
  /** Canonical form: bech32 in lower case, CashAddr with its prefix, or EIP-55. */
  readonly address: string
  readonly type: 'evm' | 'p2pkh' | 'p2sh' | 'p2wpkh' | 'p2wsh' | 'p2tr'
  /** Lower-case hex of the 20 bytes that an own address could have. `null` for scripts and Taproot. */
  readonly payee: string | null
  /** Lower-case hex of the output script on chains of the Bitcoin family. `null` on EVM chains. */
  readonly script: string | null
}

/** Version bytes of P2PKH and P2SH on Bitcoin's main and test networks (Base58Check). */
const BITCOIN_VERSIONS = [0x00, 0x05, 0x6f, 0xc4]

/**
 * Parses an address of a network, as a recipient of money.
 *
 * EVM: the EIP-55 checksum is checked if the case is mixed; all-lower and all-upper are accepted. The zero
 * address, which has no key, and the contracts of the network's own tokens, which keep what is sent to them,
 * are refused.
 * Bitcoin family: P2PKH, P2SH, P2WPKH, P2WSH (BIP-173), and P2TR (BIP-350) with a key that is on the curve.
 * Bitcoin Cash: CashAddr. The form that takes tokens is paid as its plain form. A form that Bitcoin has too
 * is refused, because it does not say which of the two networks is meant.
 *
 * @throws KeyturnError `INVALID_ADDRESS` {address, network} with the reason in the message.
 */
export function parseAddress(network: Network, text: string): ParsedAddress {
  return byFamily(network, {
    utxo: (utxo) => parseUtxo(utxo, text),
    evm: (evm) => parseEvm(evm, text),
  })
}

function parseEvm(network: EvmNetwork, text: string): ParsedAddress {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw invalid(network, text, 'it is not 0x and 40 hex digits')
  const digits = text.slice(2)
  const payee = digits.toLowerCase()
  const address = checksumAddress(payee)
  const uniform = digits === payee || digits === digits.toUpperCase()
  if (!uniform && text !== address) {
    throw invalid(network, text, 'its EIP-55 checksum is wrong, so it was mistyped somewhere')
  }
  if (/^0+$/.test(payee)) throw invalid(network, text, 'it is the zero address, which no key can spend from')
  const token = network.coins.find((coin) => coin.contract?.toLowerCase() === `0x${payee}`)
  if (token) {
    throw invalid(
      network,
      text,
      `it is the contract of ${token.name}, which keeps what is sent to it permanently`,
    )
  }
  return { address, type: 'evm', payee, script: null }
}

function parseUtxo(network: UtxoNetwork, text: string): ParsedAddress {
  if (text.length > 100) throw invalid(network, text, 'it is too long')
  return (
    parseSegwit(network, text) ??
    parseCash(network, text) ??
    parseBase58(network, text) ??
    fail(network, text, `it is not an address of ${network.name} with a right checksum`)
  )
}

function parseSegwit(network: UtxoNetwork, text: string): ParsedAddress | null {
  const prefix = network.address.bech32
  if (prefix === null || !text.toLowerCase().startsWith(`${prefix}1`)) return null
  const decoded = attempt(() => bitcoinAddress.fromBech32(text))
  if (!decoded || decoded.prefix !== prefix) return null
  const data = bytesToHex(decoded.data)
  const address = text.toLowerCase()
  if (decoded.version === 0 && decoded.data.length === 20) {
    return { address, type: 'p2wpkh', payee: data, script: `0014${data}` }
  }
  if (decoded.version === 0 && decoded.data.length === 32) {
    return { address, type: 'p2wsh', payee: null, script: `0020${data}` }
  }
  if (decoded.version === 1 && decoded.data.length === 32) {
    if (!isXOnlyPoint(decoded.data)) {
      throw invalid(
        network,
        text,
        'its Taproot key is not on the curve (BIP-340), so that no key could spend what is sent to it',
      )
    }
    return { address, type: 'p2tr', payee: null, script: `5120${data}` }
  }
  throw invalid(
    network,
    text,
    'its witness version has no rules yet, so anyone could spend what is sent to it',
  )
}

function parseCash(network: UtxoNetwork, text: string): ParsedAddress | null {
  const prefix = network.address.cashaddr
  if (prefix === null) return null
  const decoded = decodeCashAddress(prefix, text)
  const read = decoded ? null : readCashAddress(prefix, text)
  if (read) {
    const reason =
      read.hash.length === 20
        ? 'its type is none that this release knows'
        : `it is the hash of ${read.hash.length} bytes of a script, which this release does not pay; ask the recipient for an address of 20 bytes`
    throw invalid(network, text, reason)
  }
  if (!decoded) return null
  return hashed(decoded.kind, bytesToHex(decoded.hash), encodeCashAddress(prefix, decoded))
}

function parseBase58(network: UtxoNetwork, text: string): ParsedAddress | null {
  const decoded = attempt(() => bitcoinAddress.fromBase58Check(text))
  if (!decoded) return null
  const { pubKeyHash, scriptHash, cashaddr } = network.address
  const kind = decoded.version === pubKeyHash ? 'p2pkh' : decoded.version === scriptHash ? 'p2sh' : undefined
  if (!kind) throw invalid(network, text, 'its prefix is of another network')
  const address = cashaddr === null ? text : encodeCashAddress(cashaddr, { kind, hash: decoded.hash })
  if (cashaddr !== null && BITCOIN_VERSIONS.includes(decoded.version)) {
    throw invalid(
      network,
      text,
      `it could be an address of Bitcoin as well; where it is meant for ${network.name}, send it as ${address}`,
    )
  }
  return hashed(kind, bytesToHex(decoded.hash), address)
}

function hashed(type: 'p2pkh' | 'p2sh', hash: string, address: string): ParsedAddress {
  return type === 'p2pkh'
    ? { address, type, payee: hash, script: `76a914${hash}88ac` }
    : { address, type, payee: null, script: `a914${hash}87` }
}

function attempt<T>(decode: () => T): T | null {
  try {
    return decode()
  } catch {
    return null
  }
}

function fail(network: Network, text: string, reason: string): never {
  throw invalid(network, text, reason)
}

function invalid(network: Network, text: string, reason: string): KeyturnError {
  const shown = text.slice(0, 100)
  return new KeyturnError('INVALID_ADDRESS', `"${shown}" cannot be paid on ${network.name}: ${reason}`, {
    details: { address: shown, network: network.name },
  })
}
