/** Chooses by chain family, so that a family which a choice leaves out is a compile error. */

import type { Network } from './network.js'

/** Name of a chain family. */
export type Family = Network['family']

/** Union whose members `family` distinguishes: networks, payloads, fee prices, built transactions. */
interface OfFamily {
  readonly family: string
}

/**
 * One function for each family of a union; each receives the member that is of its own family.
 *
 * @typeParam Results - What the function of each family returns.
 */
export type FamilyCases<Union extends OfFamily, Results> = {
  readonly [Name in keyof Results]: (member: Extract<Union, { readonly family: Name }>) => Results[Name]
}

/**
 * Runs the case of the member's family and returns its result.
 *
 * Use it wherever code differs by family, also where one family does nothing: a comparison such as
 * `family === 'utxo' ? a : b` would silently give a further family the second branch.
 */
export function byFamily<Union extends OfFamily, Results extends Readonly<Record<Union['family'], unknown>>>(
  member: Union,
  cases: FamilyCases<Union, Results>,
): Results[Union['family']] {
  const name: Union['family'] = member.family
  const run = cases[name] as (member: Union) => Results[Union['family']]
  return run(member)
}
