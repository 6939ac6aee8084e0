import { intentAmount } from '../../intent-amount.js'
import { type Check, type PayloadContext, refuse } from '../check.js'

/** One deposit address may be given so much gas at a time. */
export const withinGasFundingLimit: Check<PayloadContext> = {
  name: 'within-gas-funding-limit',
  purpose: 'pay',
  once: true,
  run(context) {
    if (context.movement?.kind !== 'gas_funding') return null
    const most = context.network.movements?.gasPerTransaction ?? 0n
    const amount = intentAmount(context.request.intent)
    if (amount <= most) return null
    return refuse('POLICY_LIMIT', `Gas of ${amount} exceeds the limit of one funding, ${most}`)
  },
}
