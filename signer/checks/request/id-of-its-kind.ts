import { type Check, type RequestContext, refuse } from '../check.js'

const PREFIX = {
  withdrawal: 'withdrawal',
  batch: 'batch',
  consolidation: 'mov',
  gas_funding: 'mov',
  rebalance: 'mov',
} as const

/**
 * The ids of each kind have a form of their own, so that no movement takes the id of a withdrawal, nor a
 * withdrawal that of a batch.
 */
export const idOfItsKind: Check<RequestContext> = {
  name: 'id-of-its-kind',
  run(context) {
    const { kind, withdrawal: id } = context.request.intent
    const prefix = PREFIX[kind]
    if (id.startsWith(`${prefix}_`) && /^[0-9a-z_]{1,64}$/.test(id.slice(prefix.length + 1))) return null
    return refuse(
      'MALFORMED',
      `The id of a ${kind} is ${prefix}_ and at most 64 small letters, digits and underscores`,
    )
  },
}
