/** Runs the case of a payload's family, so that a family without a case is a compile error. */

import type { PayloadContext } from './check.js'

type Family = PayloadContext['network']['family']

/** One function for each family; each receives the context of its own family. */
type Cases<Results> = {
  readonly [Name in keyof Results]: (
    context: Extract<PayloadContext, { readonly network: { readonly family: Name } }>,
  ) => Results[Name]
}

/** Runs the case of the context's family and returns its result. */
export function byFamily<Results extends Readonly<Record<Family, unknown>>>(
  context: PayloadContext,
  cases: Cases<Results>,
): Results[Family] {
  const run = cases[context.network.family] as (context: PayloadContext) => Results[Family]
  return run(context)
}
