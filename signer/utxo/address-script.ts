/** Converts between addresses and scripts of a Bitcoin-like network. */

import { Address, OutScript } from '@scure/btc-signer'
import { cashAddressScript } from './cash-address.js'

/** Prefixes of a network's addresses. `bech32` is `null` where there is no SegWit. */
export interface AddressPrefixes {
  readonly bech32: string | null
  readonly pub_key_hash: number
  readonly script_hash: number
  /** Prefix of Bitcoin Cash's addresses. With it no other form is accepted. */
  readonly cashaddr?: string | undefined
}

type AddressCoder = ReturnType<typeof Address>

const coders = new WeakMap<AddressPrefixes, AddressCoder>()

/**
 * Returns the script that pays to an address.
 *
 * @throws Error when the address does not belong to this network.
 */
export function addressScript(address: string, prefixes: AddressPrefixes): Uint8Array {
  if (prefixes.cashaddr !== undefined) return cashAddressScript(address, prefixes.cashaddr)
  return OutScript.encode(coderOf(prefixes).decode(address))
}

/** Returns the P2WPKH address of the HASH160 of a key. */
export function p2wpkhAddress(keyHash: Uint8Array, prefixes: AddressPrefixes): string {
  return coderOf(prefixes).encode({ type: 'wpkh', hash: keyHash })
}

function coderOf(prefixes: AddressPrefixes): AddressCoder {
  const known = coders.get(prefixes)
  if (known) return known
  const coder = Address({
    // No address has this prefix, which stands for a network without SegWit.
    bech32: prefixes.bech32 ?? 'none',
    pubKeyHash: prefixes.pub_key_hash,
    scriptHash: prefixes.script_hash,
    wif: 0,
  })
  coders.set(prefixes, coder)
  return coder
}
