/** Which chains the local stack brings. */

import type { Say } from '../parts/find-executable.js'
import type { StackState } from './state.js'

/** Those that can be left out; Ethereum is always there. */
const OPTIONAL = ['bitcoin', 'litecoin', 'polygon'] as const
export type OptionalNetwork = (typeof OPTIONAL)[number]

/** A home made before this list was kept has these. */
const FIRST_NETWORKS = ['ethereum', 'bitcoin']

/**
 * Reads `KEYTURN_LOCAL_NETWORKS`, a list such as `bitcoin,litecoin` (default: all). What a home was not made with stays out,
 * because its merchants have no such rail and its signers reported no such keys; both are said.
 *
 * @throws Error that names a network which the stack does not know.
 */
export function localNetworks(
  state: Pick<StackState, 'merchant' | 'networks'>,
  say: Say,
  wanted = process.env.KEYTURN_LOCAL_NETWORKS,
): ReadonlySet<OptionalNetwork> {
  const names = wanted === undefined ? [...OPTIONAL] : listOf(wanted)
  const unknown = names.find((name) => name !== 'ethereum' && !isOptional(name))
  if (unknown !== undefined) {
    throw new Error(`KEYTURN_LOCAL_NETWORKS: ${unknown} is none of ethereum, ${OPTIONAL.join(', ')}`)
  }
  const known = state.merchant ? (state.networks ?? FIRST_NETWORKS) : null
  return new Set(
    names.filter(isOptional).filter((name) => {
      if (!known || known.includes(name)) return true
      say(`Left out: ${name} (this home was created without it; --fresh starts with an empty home)`)
      return false
    }),
  )
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
}

function isOptional(name: string): name is OptionalNetwork {
  return (OPTIONAL as readonly string[]).includes(name)
}
