/** Chooses the chains of the local stack. */

import type { Say } from '../parts/say.js'
import type { StackState } from './state.js'

/** Networks that can be left out. Ethereum always runs. */
const OPTIONAL = ['bitcoin', 'litecoin', 'polygon'] as const
export type OptionalNetwork = (typeof OPTIONAL)[number]

/** Networks of a home from the time before homes kept this list. */
const FIRST_NETWORKS = ['ethereum', 'bitcoin']

/**
 * Reads `KEYTURN_LOCAL_NETWORKS`, a list such as `bitcoin,litecoin` (default: all). A network with which the
 * home was not made stays out, because its merchants have no such rail and its signers reported no such keys.
 * The terminal shows it.
 *
 * @throws Error that names a network that the stack does not know.
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
      say(`Left out: ${name} (this home was made without it; --fresh starts from nothing)`)
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
