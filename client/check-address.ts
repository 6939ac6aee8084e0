/** Checks that an address of the API is the customer's own, with the keys that the customer's signer exported. */

import { ripemd160 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { address as bitcoinAddress } from 'bitcoinjs-lib'
import { decodeCashAddress } from '../domain/address/cashaddr.js'
import { evmPayee } from '../domain/address/derive-address.js'
import { derivePublicKey } from '../domain/address/derive-public-key.js'
import type { XpubReport } from '../domain/signer-protocol.js'

/** An entry of `networks` in what `keyturn-signer export-xpubs` prints; get it from the signer, never from the platform. */
export type ExportedXpub = Pick<XpubReport, 'network' | 'role' | 'path' | 'xpub'>

/** P2PKH version bytes: Bitcoin and Bitcoin Cash, their test networks, Litecoin. P2SH is never ours. */
const PUBKEY_HASH_VERSIONS: ReadonlySet<number> = new Set([0x00, 0x6f, 0x30])

/** Thrown when the platform named an address that the customer's signer does not hold. Do not show it to anyone. */
export class ForeignAddressError extends Error {
  override readonly name = 'ForeignAddressError'
  readonly address: string

  constructor(address: string, network: string, reason: string) {
    super(
      `${address} (${network}) is not ours: ${reason}. Do not use it; somebody may have tampered with the platform`,
    )
    this.address = address
  }
}

export interface ReturnedAddress {
  readonly network: string
  readonly address: string
  readonly derivation_path: string
  readonly kind?: string
}

/**
 * Derives the key at the address's path anew and compares what would be paid.
 *
 * @throws ForeignAddressError when it differs, or no exported key could have made it.
 */
export function checkAddress(returned: ReturnedAddress, xpubs: readonly ExportedXpub[]): void {
  const { network, address, derivation_path: path } = returned
  const role = returned.kind === 'change' ? 'master' : (returned.kind ?? 'deposit')
  const account = xpubs.find((each) => each.network === network && each.role === role)
  if (!account) throw new ForeignAddressError(address, network, `no exported ${role} key is of this network`)
  const suffix = path.startsWith(`${account.path}/`) ? path.slice(account.path.length + 1) : ''
  const match = /^([01])\/(0|[1-9]\d{0,9})$/.exec(suffix)
  const branch = Number(match?.[1])
  const index = Number(match?.[2])
  if (!match || index > 0x7fff_ffff || (role === 'deposit' && branch !== 0)) {
    throw new ForeignAddressError(address, network, `its path ${path} is not below ${account.path}`)
  }
  const key = derivePublicKey(account.xpub, branch, index)
  const expected = /^0x/.test(address) ? evmPayee(key) : bytesToHex(ripemd160(sha256(key)))
  if (payeeOf(address) !== expected) {
    throw new ForeignAddressError(address, network, `the key at ${path} has another address`)
  }
}

/** The 20 bytes that an address pays, in hex; null for anything that is not the hash of one key. */
function payeeOf(address: string): string | null {
  if (/^0x[0-9a-fA-F]{40}$/.test(address)) return address.slice(2).toLowerCase()
  const separator = address.indexOf(':')
  if (separator > 0) {
    const cash = decodeCashAddress(address.slice(0, separator).toLowerCase(), address)
    return cash?.kind === 'p2pkh' ? bytesToHex(cash.hash) : null
  }
  try {
    const { version, data } = bitcoinAddress.fromBech32(address)
    return version === 0 && data.length === 20 ? bytesToHex(data) : null
  } catch {
    // Not bech32.
  }
  try {
    const { version, hash } = bitcoinAddress.fromBase58Check(address)
    return PUBKEY_HASH_VERSIONS.has(version) ? bytesToHex(hash) : null
  } catch {
    return null
  }
}
