/** The merchant's policy, and the changes of it that two people must approve. */

import { z } from 'zod'
import type { FieldValue } from '../domain/controls/policy-change.js'
import { ControlChangeState, controlChangeFields } from './control-change.js'

/** Most rows of a list: a person must still be able to read the policy. */
const MOST_ROWS = 500
const MOST_CONFIRMATIONS = 10_000

const amount = z
  .string()
  .regex(/^(0|[1-9]\d{0,40})(\.\d{1,36})?$/, 'a decimal amount in whole coins, for example "5000.00"')
  .meta({ example: '5000.00' })
const name = z.string().min(1).max(31)
const coin = { network: name.meta({ example: 'ethereum' }), coin: name.meta({ example: 'usdt' }) }
const limits = z
  .array(
    z.strictObject({
      ...coin,
      daily: amount.nullable().default(null),
      monthly: amount.nullable().default(null),
    }),
  )
  .max(MOST_ROWS)
  .readonly()
const weight = z.number().min(0).max(1)
const multisig = z
  .strictObject({
    enabled: z.boolean(),
    required_signatures: z.int().min(2).max(100),
    total_signers: z.int().min(0).max(100),
    threshold_amount: amount.meta({
      description: 'In whole coins of the withdrawn coin. Above it `required_signatures` must approve.',
    }),
    threshold_amounts: z
      .array(z.strictObject({ ...coin, amount }))
      .max(MOST_ROWS)
      .readonly()
      .default([])
      .meta({ description: 'Instead of `threshold_amount`, for the coins that it names.' }),
    signers: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(255).meta({ description: "Id of the approver's registration." }),
          public_key: z
            .string()
            .min(1)
            .max(1_000)
            .meta({ description: 'The registered Ed25519 key: base64, or hex with 0x.' }),
          role: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
        }),
      )
      .max(100)
      .readonly()
      .default([])
      .meta({ description: 'The approvers who count above the threshold. Empty: each approver counts.' }),
    required_roles: z.array(z.string().max(63)).max(20).readonly().default([]),
  })
  .superRefine((config, context) => {
    const problem = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const { signers, total_signers, required_signatures, required_roles } = config
    if (new Set(signers.map((signer) => signer.id)).size < signers.length)
      problem('signers', 'names one twice')
    if (signers.length > 0 && total_signers !== signers.length)
      problem('total_signers', 'must be the number of signers')
    if (config.enabled && total_signers > 0 && required_signatures > total_signers)
      problem('required_signatures', 'must not be more than total_signers')
    if (!required_roles.every((role) => signers.some((signer) => signer.role === role)))
      problem('required_roles', 'must be roles of signers')
    if (required_roles.length > required_signatures)
      problem('required_roles', 'must not be more than required_signatures')
  })
const tiers = z
  .array(z.strictObject({ ...coin, from: amount, confirmations: z.int().min(1).max(MOST_CONFIRMATIONS) }))
  .max(MOST_ROWS)
  .readonly()
const riskFields = {
  threshold: z.number().min(0).max(100).meta({ description: 'A person reviews higher scores.' }),
  weights: z.strictObject({
    amount: weight,
    destination: weight,
    frequency: weight,
    geography: weight,
    behaviour: weight,
  }),
  high_risk_countries: z
    .array(z.string().regex(/^[A-Z]{2}$/, 'ISO 3166-1 alpha-2'))
    .max(300)
    .readonly(),
}
const parts = {
  limits: z.strictObject({ merchant: limits, user: limits }),
  multisig_config: multisig,
  confirmation_tiers: tiers.meta({
    description:
      "Raises the network's own confirmations. Where several tiers match, the highest number applies.",
  }),
  risk: z.strictObject(riskFields),
  whitelist: z.strictObject({ mode: z.enum(['off', 'required']) }),
  held_deposits: z.strictObject({
    release_approvals: z.union([z.literal(1), z.literal(2)]).meta({
      description:
        'With 2, two people who did not request it must approve the release of a deposit that was held.',
    }),
  }),
  payments: z.strictObject({
    tolerance_percent: amount
      // Two digits at most: a floating-point number would round 99.99… up.
      .refine((text) => /^\d{1,2}(\.|$)/.test(text), 'is at least 0 and below 100')
      .meta({ description: 'Percent by which a payment may miss its amount, unless it says otherwise.' }),
    tolerance_absolute: z
      .array(z.strictObject({ ...coin, amount }))
      .max(MOST_ROWS)
      .readonly()
      .meta({ description: 'Whole coins by which it may. The greater allowance counts.' }),
  }),
}

/** The policy that is in force. */
export const PolicyVersion = z
  .object({
    version: z.int().meta({ description: '0 until the first change is in effect.' }),
    effective_at: z.string().nullable(),
    ...parts,
    pending_changes: z
      .array(z.string())
      .readonly()
      .meta({ description: 'Ids of changes that are not fully in effect yet.' }),
  })
  .meta({ id: 'Policy', description: 'The policy that is in force.' })
export type PolicyVersion = z.infer<typeof PolicyVersion>

/** The body of `PUT /policy`. */
export const PolicyUpdate = z
  .strictObject({
    ...parts,
    limits: parts.limits.partial(),
    payments: parts.payments.partial(),
    risk: z.strictObject({ ...riskFields, weights: riskFields.weights.partial() }).partial(),
  })
  .partial()
  .meta({ id: 'PolicyUpdate', description: 'A change of the policy. An omitted part stays as it is.' })
export type PolicyUpdate = z.input<typeof PolicyUpdate>

/** The document leaves a field's value open, because its type depends on the field. */
const fieldValue = z.unknown() as z.ZodType<FieldValue>

/** One field that a change of the policy changes. */
export const PolicyEdit = z
  .object({
    field: z.string().meta({ example: 'limits.user.ethereum.usdt.daily' }),
    from: fieldValue,
    to: fieldValue,
    effect: z.enum(['tightening', 'loosening']).meta({
      description: 'A tightening takes effect with the approval, a loosening after the cool-down.',
    }),
  })
  .meta({ id: 'PolicyEdit', description: 'One field of the policy, before and after a change.' })
export type PolicyEdit = z.infer<typeof PolicyEdit>

export const PolicyChange = z
  .object({
    id: z.string().meta({ example: 'pol_0193…' }),
    state: ControlChangeState,
    changes: z.array(PolicyEdit).readonly(),
    base_version: z.int(),
    superseded: z.array(z.string()).readonly().meta({
      description:
        'Fields that stayed as they were, because a stricter change had replaced them. The change then ends as `superseded`.',
    }),
    ...controlChangeFields,
  })
  .meta({ id: 'PolicyChange', description: 'A requested change of the policy.' })
export type PolicyChange = z.infer<typeof PolicyChange>
