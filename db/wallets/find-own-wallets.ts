/**
 * Finds destinations that are the merchant's own wallets. A withdrawal to one would leave the books and never
 * return.
 */

import { parseAddress } from '../../domain/address/parse-address.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { keyProbe } from '../chain/key-probe.js'
import type { Queryable } from '../connect.js'

/**
 * Kinds of own wallets by address, as given. Users' deposit addresses are absent, because deposits there are
 * credited.
 */
export type OwnWallets = ReadonlyMap<string, 'master' | 'hot' | 'gas' | 'change'>

/**
 * Compares key hashes, so that the notation does not matter: upper case, a missing prefix, or another address
 * type of the same key, which the platform does not watch. Text that is no address of the network is left
 * out.
 */
export async function findOwnWallets(
  sql: Queryable,
  merchantId: string,
  network: Network,
  addresses: readonly string[],
): Promise<OwnWallets> {
  const payees = new Map<string, string[]>()
  for (const address of new Set(addresses)) {
    const payee = payeeOf(network, address)
    if (payee !== null) payees.set(payee, [...(payees.get(payee) ?? []), address])
  }
  if (payees.size === 0) return new Map()
  const keys = BigInt64Array.from([...payees.keys()], matchKey).sort()
  const rows = await sql<{ payee: string; kind: 'master' | 'hot' | 'gas' | 'change' }[]>`
    SELECT encode(payee, 'hex') AS payee, kind FROM addresses
    WHERE network = ${network.name} AND match_key = ANY (${keyProbe(sql, keys)})
      AND merchant_id = ${merchantId} AND kind IN ('master', 'hot', 'gas', 'change')`
  return new Map(
    rows.flatMap(({ payee, kind }) => (payees.get(payee) ?? []).map((address) => [address, kind] as const)),
  )
}

/** Creates the error for a destination that is an own wallet. */
export function ownWalletError(network: Network, address: string, kind: string): KeyturnError {
  const what = kind === 'change' ? 'the address of your own change' : `your own ${kind} wallet`
  return new KeyturnError(
    'INVALID_ADDRESS',
    `"${address}" cannot be paid on ${network.name}: it is ${what}, and a transfer between your own wallets is no withdrawal`,
    { details: { address, network: network.name } },
  )
}

/** Requires a foreign address. @throws KeyturnError `INVALID_ADDRESS` if it is an own wallet or not of the network. */
export async function requireForeign(
  sql: Queryable,
  merchantId: string,
  network: Network,
  address: string,
): Promise<void> {
  parseAddress(network, address)
  const kind = (await findOwnWallets(sql, merchantId, network, [address])).get(address)
  if (kind !== undefined) throw ownWalletError(network, address, kind)
}

function payeeOf(network: Network, address: string): string | null {
  try {
    return parseAddress(network, address).payee
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error
    return null
  }
}
