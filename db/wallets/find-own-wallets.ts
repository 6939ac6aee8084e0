/** Which of these destinations are the merchant's own wallets: what is paid to them leaves the books and comes back to none. */

import { parseAddress } from '../../domain/address/parse-address.js'
import { matchKey } from '../../domain/chain/match-key.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { keyProbe } from '../chain/key-probe.js'
import type { Queryable } from '../connect.js'

/** Addresses as they were given, with what each is. Deposit addresses of users are none of them: what arrives there is credited. */
export type OwnWallets = ReadonlyMap<string, 'master' | 'hot' | 'gas' | 'change'>

/**
 * Looks for the key hash, so that the notation does not matter: upper case, without a prefix, or the address type of the same key
 * that the platform does not watch. What is no address of the network is none of them.
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

/** What is wrong with a destination that is an own wallet. */
export function ownWalletError(network: Network, address: string, kind: string): KeyturnError {
  const what = kind === 'change' ? 'the address of your own change' : `your own ${kind} wallet`
  return new KeyturnError(
    'INVALID_ADDRESS',
    `"${address}" cannot be paid on ${network.name}: it is ${what}, and what moves between your own wallets is no withdrawal`,
    { details: { address, network: network.name } },
  )
}

/** @throws KeyturnError `INVALID_ADDRESS` when the address is an own wallet, or none of the network. */
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
