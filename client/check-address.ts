/** Checks with the keys that the customer's signer exported that an address belongs to the customer. */

import { ripemd160 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { bech32 } from '@scure/base'
import { decodeCashAddress } from '../domain/address/cashaddr.js'
import { derivePublicKey } from '../domain/address/derive-public-key.js'
import { evmPayee } from '../domain/address/evm-payee.js'
import type { ExportedXpub } from '../domain/signing/signer-protocol.js'

/**
 * An entry of `networks` that `keyturn-signer export-xpubs` prints. Copy it from the signer, never from the
 * platform.
 */
export type { ExportedXpub }

/** The highest index that `init` writes into a policy. Exports of earlier signers do not name it. */
const DEFAULT_MAX_INDEX = 1_000_000

/** Prefixes by coin type (SLIP-44), for exports of earlier signers, which name no prefix. */
const BECH32_PREFIXES: Readonly<Record<string, readonly string[]>> = {
  '0': ['bc'],
  '1': ['tb', 'bcrt', 'tltc', 'rltc'],
  '2': ['ltc'],
}
const CASHADDR_PREFIXES: Readonly<Record<string, readonly string[]>> = {
  '1': ['bchtest', 'bchreg'],
  '145': ['bitcoincash'],
}

/**
 * Reports that the platform named an address that the customer's signer does not hold. Do not show the
 * address.
 */
export class ForeignAddressError extends Error {
  override readonly name = 'ForeignAddressError'
  readonly address: string

  constructor(address: string, network: string, reason: string) {
    super(
      `${address} (${network}) is not ours: ${reason}. Do not use it: the platform may have been tampered with`,
    )
    this.address = address
  }
}

/** An address as the platform returned it. */
export interface ReturnedAddress {
  readonly network: string
  readonly address: string
  readonly derivation_path: string
  readonly kind?: string
}

/**
 * Derives the key at the address's path again, and accepts only the form of address from which the signer can
 * spend.
 *
 * @throws ForeignAddressError when the address differs, or the signer could not spend from it.
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
  if (!match || (branch === 1 && role !== 'master')) {
    throw new ForeignAddressError(
      address,
      network,
      `its path ${path} is not one below ${account.path} that may pay`,
    )
  }
  const most = account.max_index ?? DEFAULT_MAX_INDEX
  if (index > most) {
    throw new ForeignAddressError(address, network, `the signer spends up to index ${most}, this is ${index}`)
  }
  const key = derivePublicKey(account.xpub, branch, index)
  if (!spendable(address, key, account)) {
    throw new ForeignAddressError(address, network, `the signer has another address at ${path}`)
  }
}

/** Whether an address is the one from which the signer spends with a key. */
function spendable(address: string, key: Uint8Array, account: ExportedXpub): boolean {
  if (account.addresses === null) return false
  const isHex = /^0x[0-9a-fA-F]{40}$/.test(address)
  const [purpose, coinType = ''] = account.path.replaceAll("'", '').split('/').slice(1)
  const known = account.addresses
  const cash = known?.form === 'cashaddr' ? [known.prefix] : known ? [] : (CASHADDR_PREFIXES[coinType] ?? [])
  const bech32 =
    known?.form === 'p2wpkh'
      ? [known.prefix]
      : known || purpose !== '84'
        ? []
        : (BECH32_PREFIXES[coinType] ?? null)
  const isEvm = known ? known.form === 'evm' : purpose === '44' && coinType !== '145'
  if (isHex) return isEvm && address.slice(2).toLowerCase() === evmPayee(key)
  const own = bytesToHex(ripemd160(sha256(key)))
  return isCash(address, own, cash) || isP2wpkh(address, own, bech32)
}

function isCash(address: string, keyHash: string, prefixes: readonly string[]): boolean {
  const prefix = prefixes.find((each) => address.startsWith(`${each}:`))
  const payee = prefix === undefined ? null : decodeCashAddress(prefix, address)
  return payee?.kind === 'p2pkh' && bytesToHex(payee.hash) === keyHash
}

/** @param prefixes - `null` accepts any prefix: an earlier signer's export does not describe the coin. */
function isP2wpkh(address: string, keyHash: string, prefixes: readonly string[] | null): boolean {
  try {
    // Segwit version 0 is encoded in bech32 (BIP-173), later versions in bech32m, which this does not decode.
    const { prefix, words } = bech32.decode(address as `${string}1${string}`)
    const [version, ...program] = words
    return (
      (prefixes === null || prefixes.includes(prefix)) &&
      version === 0 &&
      bytesToHex(bech32.fromWords(program)) === keyHash
    )
  } catch {
    return false
  }
}
