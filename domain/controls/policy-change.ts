/** Compares policies field by field, and decides for each field whether it tightens (at once) or loosens (after the cool-down). */

import { canonicalJson } from '../canonical-json.js'
import { formatAmount, parseAmount } from '../money.js'
import { compareMultisig, rawKey } from './multisig.js'
import {
  type CoinLimit,
  type MultisigConfig,
  type Policy,
  type PolicyTier,
  type PolicyUpdate,
  RISK_FACTORS,
  type RiskFactorName,
} from './policy.js'

export type FieldEffect = 'tightening' | 'loosening'

/** Value of a field. `null` where the policy says nothing. */
export type FieldValue = string | number | readonly string[] | MultisigConfig | null

/** One field that changes. Approvers sign the list of them. */
export interface PolicyEdit {
  /** Path of the field, for example `limits.user.ethereum.usdt.daily`. */
  readonly field: string
  readonly from: FieldValue
  readonly to: FieldValue
  readonly effect: FieldEffect
}

/** Decimals in which amounts are compared: more than every coin has, so that the comparison is exact. */
const FINEST_DECIMALS = 36

/** Writes amounts, lists and their order in one way, so that equal policies are equal JSON. @throws KeyturnError `INVALID_AMOUNT`. */
export function normalisePolicy(policy: Policy): Policy {
  return unflatten(flatten(policy))
}

/** Returns the policy that an update asks for. */
export function updatedPolicy(policy: Policy, update: PolicyUpdate): Policy {
  return normalisePolicy({
    ...policy,
    ...update,
    limits: { ...policy.limits, ...update.limits },
    risk: {
      ...policy.risk,
      ...update.risk,
      weights: { ...policy.risk.weights, ...update.risk?.weights },
    },
    payments: { ...policy.payments, ...update.payments },
  })
}

/** Returns the fields in which `to` differs from `from`, in a stable order. */
export function diffPolicies(from: Policy, to: Policy): PolicyEdit[] {
  const before = flatten(from)
  const after = flatten(to)
  const edits: PolicyEdit[] = []
  for (const field of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const values = { from: before.get(field) ?? null, to: after.get(field) ?? null }
    const effect = compareField(field, values.from, values.to)
    if (effect !== 'same') edits.push({ field, ...values, effect })
  }
  return edits
}

/** A policy after edits, and the fields that were changed or left as they are. */
export interface EditedPolicy {
  readonly policy: Policy
  readonly applied: readonly string[]
  /** Fields that another change made stricter meanwhile: the approved value no longer loosens them. */
  readonly dropped: readonly string[]
}

/**
 * Applies the edits of one effect to the policy in force, which may differ from the one that they were written for.
 * A field is only ever loosened from the very value that the approvers saw.
 */
export function applyEdits(policy: Policy, edits: readonly PolicyEdit[], effect: FieldEffect): EditedPolicy {
  const fields = flatten(policy)
  const applied: string[] = []
  const dropped: string[] = []
  for (const edit of edits) {
    if (edit.effect !== effect) continue
    const current = fields.get(edit.field) ?? null
    const now = compareField(edit.field, current, edit.to)
    if (now === 'same') continue
    const unchanged = compareField(edit.field, current, edit.from) === 'same'
    if (now === 'loosening' && !(effect === 'loosening' && unchanged)) {
      dropped.push(edit.field)
      continue
    }
    if (edit.to === null) fields.delete(edit.field)
    else fields.set(edit.field, edit.to)
    applied.push(edit.field)
  }
  return { policy: unflatten(fields), applied, dropped }
}

/** Returns whether the step from one value to the other tightens or loosens. A step that is not clearly tighter loosens. */
export function compareField(field: string, from: FieldValue, to: FieldValue): FieldEffect | 'same' {
  if (canonicalJson(comparable(from)) === canonicalJson(comparable(to))) return 'same'
  const [root, second] = field.split('.')
  switch (root) {
    case 'limits':
      return order(amountOf(to), amountOf(from))
    case 'confirmation_tiers':
      return order(BigInt(Number(from ?? 0)), BigInt(Number(to ?? 0)))
    case 'multisig_config':
      return compareMultisig(from as MultisigConfig, to as MultisigConfig)
    case 'held_deposits':
      return Number(to) > Number(from) ? 'tightening' : 'loosening'
    case 'payments':
      return order(amountOf(to ?? '0'), amountOf(from ?? '0'))
    case 'whitelist':
      return to === 'required' ? 'tightening' : 'loosening'
    case 'risk': {
      if (second === 'threshold') return Number(to) < Number(from) ? 'tightening' : 'loosening'
      if (second === 'weights') return Number(to) > Number(from) ? 'tightening' : 'loosening'
      const kept = new Set(to as readonly string[])
      return (from as readonly string[]).every((country) => kept.has(country)) ? 'tightening' : 'loosening'
    }
    default:
      throw new Error(`Policy has no field ${field}`)
  }
}

/** Returns a form in which values with one meaning are equal. A database returns the keys of an object in an order of its own. */
function comparable(value: FieldValue): unknown {
  if (value === null || typeof value !== 'object') return value
  if (!('signers' in value)) return [...value].sort()
  const config = normaliseMultisig(value)
  return {
    ...config,
    signers: config.signers.map((signer) => ({ ...signer, public_key: rawKey(signer.public_key) })),
  }
}

/** `smaller` below `larger` is tightening. */
function order(smaller: bigint | null, larger: bigint | null): FieldEffect | 'same' {
  if (smaller === larger) return 'same'
  if (smaller === null) return 'loosening'
  return larger === null || smaller < larger ? 'tightening' : 'loosening'
}

/** `null` means no limit. */
function amountOf(value: FieldValue): bigint | null {
  return value === null ? null : parseAmount(String(value), FINEST_DECIMALS)
}

/** Writes an amount in whole coins in one way. @throws KeyturnError `INVALID_AMOUNT`. */
export function plainAmount(amount: string): string {
  return formatAmount(parseAmount(amount, FINEST_DECIMALS), FINEST_DECIMALS)
}

function flatten(policy: Policy): Map<string, FieldValue> {
  const fields = new Map<string, FieldValue>()
  for (const scope of ['merchant', 'user'] as const) {
    for (const { network, coin, daily, monthly } of policy.limits[scope]) {
      if (daily !== null) fields.set(`limits.${scope}.${network}.${coin}.daily`, plainAmount(daily))
      if (monthly !== null) fields.set(`limits.${scope}.${network}.${coin}.monthly`, plainAmount(monthly))
    }
  }
  for (const { network, coin, from, confirmations } of policy.confirmation_tiers) {
    const field = `confirmation_tiers.${network}.${coin}.${plainAmount(from)}`
    fields.set(field, Math.max(confirmations, Number(fields.get(field) ?? 0)))
  }
  fields.set('multisig_config', normaliseMultisig(policy.multisig_config))
  fields.set('risk.threshold', policy.risk.threshold)
  for (const factor of RISK_FACTORS) fields.set(`risk.weights.${factor}`, policy.risk.weights[factor])
  fields.set('risk.high_risk_countries', [...new Set(policy.risk.high_risk_countries)].sort())
  fields.set('whitelist.mode', policy.whitelist.mode)
  fields.set('held_deposits.release_approvals', policy.held_deposits.release_approvals)
  fields.set('payments.tolerance_percent', plainAmount(policy.payments.tolerance_percent))
  for (const { network, coin, amount } of policy.payments.tolerance_absolute) {
    fields.set(`payments.tolerance_absolute.${network}.${coin}`, plainAmount(amount))
  }
  return fields
}

function unflatten(fields: ReadonlyMap<string, FieldValue>): Policy {
  const limits = { merchant: new Map<string, CoinLimit>(), user: new Map<string, CoinLimit>() }
  const tiers: PolicyTier[] = []
  const tolerances: Policy['payments']['tolerance_absolute'][number][] = []
  for (const [field, value] of [...fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [root, ...path] = field.split('.')
    if (root === 'limits') {
      const [scope, network = '', coin = '', window] = path
      const list = limits[scope as keyof typeof limits]
      const known = list.get(`${network}.${coin}`) ?? { network, coin, daily: null, monthly: null }
      list.set(`${network}.${coin}`, { ...known, [window as 'daily' | 'monthly']: String(value) })
    }
    if (root === 'confirmation_tiers') {
      const [network = '', coin = '', ...from] = path
      tiers.push({ network, coin, from: from.join('.'), confirmations: Number(value) })
    }
    if (root === 'payments' && path[0] === 'tolerance_absolute') {
      const [, network = '', coin = ''] = path
      tolerances.push({ network, coin, amount: String(value) })
    }
  }
  const weight = (factor: RiskFactorName) => [factor, Number(fields.get(`risk.weights.${factor}`))] as const
  return {
    limits: { merchant: [...limits.merchant.values()], user: [...limits.user.values()] },
    multisig_config: fields.get('multisig_config') as MultisigConfig,
    confirmation_tiers: tiers,
    risk: {
      threshold: Number(fields.get('risk.threshold')),
      weights: Object.fromEntries(RISK_FACTORS.map(weight)) as Record<RiskFactorName, number>,
      high_risk_countries: fields.get('risk.high_risk_countries') as readonly string[],
    },
    whitelist: { mode: fields.get('whitelist.mode') as Policy['whitelist']['mode'] },
    held_deposits: { release_approvals: fields.get('held_deposits.release_approvals') === 2 ? 2 : 1 },
    payments: {
      tolerance_percent: String(fields.get('payments.tolerance_percent') ?? '0'),
      tolerance_absolute: tolerances,
    },
  }
}

/** Writes every key in one order, so that the same configuration is the same JSON. */
function normaliseMultisig(config: MultisigConfig): MultisigConfig {
  const byText =
    <T>(key: (each: T) => string) =>
    (a: T, b: T) =>
      key(a) < key(b) ? -1 : 1
  return {
    enabled: config.enabled,
    required_signatures: config.required_signatures,
    total_signers: config.total_signers,
    threshold_amount: plainAmount(config.threshold_amount),
    threshold_amounts: config.threshold_amounts
      .map(({ network, coin, amount }) => ({ network, coin, amount: plainAmount(amount) }))
      .sort(byText((each) => `${each.network}.${each.coin}`)),
    signers: config.signers
      .map(({ id, public_key, role }) => ({ id, public_key, role }))
      .sort(byText((each) => each.id)),
    required_roles: [...new Set(config.required_roles)].sort(),
  }
}
