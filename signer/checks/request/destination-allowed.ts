import type { KeyRole } from '../../../domain/signing/signer-protocol.js'
import type { Movement } from '../../movement.js'
import { type Check, type RequestContext, refuse } from '../check.js'

const ROLES: Readonly<Record<Movement['kind'], readonly KeyRole[]>> = {
  consolidation: ['master'],
  gas_funding: ['deposit'],
  rebalance: ['master', 'hot'],
}

/**
 * A movement goes to a receiving key of a wallet that its kind allows or, except gas funding, to an address
 * that the policy names.
 */
export const destinationAllowed: Check<RequestContext> = {
  name: 'destination-allowed',
  purpose: 'pay',
  run({ movement, network }) {
    if (!movement || (movement.named && movement.kind !== 'gas_funding')) return null
    const { kind, place } = movement
    const allowed =
      place !== null &&
      network !== undefined &&
      place.branch === 0 &&
      ROLES[kind].includes(place.role) &&
      place.index <= network.maxAddressIndex
    return allowed
      ? null
      : refuse('OUTPUT_NOT_ALLOWED', `A ${kind} may only go to ${ROLES[kind].join(' or ')} keys of this seed`)
  },
}
