/** Declares the schemas of the policy and of its changes. */

import { z } from '@hono/zod-openapi'
import { CONTROL_CHANGE_STATES } from '../../domain/controls/control-change.js'

/** More would make a policy that nobody reads. */
const MOST_ROWS = 500
const MOST_CONFIRMATIONS = 10_000

const amount = z
  .string()
  .regex(/^(0|[1-9]\d{0,40})(\.\d{1,36})?$/, 'a decimal amount in whole coins, for example "5000.00"')
  .openapi({ example: '5000.00' })
const name = z.string().min(1).max(31)
const coin = { network: name.openapi({ example: 'ethereum' }), coin: name.openapi({ example: 'usdt' }) }
const limits = z
  .array(
    z.strictObject({
      ...coin,
      daily: amount.nullable().default(null),
      monthly: amount.nullable().default(null),
    }),
  )
  .max(MOST_ROWS)
const weight = z.number().min(0).max(1)
const multisig = z
  .strictObject({
    enabled: z.boolean(),
    required_signatures: z.int().min(2).max(100),
    total_signers: z.int().min(0).max(100),
    threshold_amount: amount.openapi({
      description: 'In whole coins of whichever coin is withdrawn; above it `required_signatures` holds.',
    }),
    threshold_amounts: z
      .array(z.strictObject({ ...coin, amount }))
      .max(MOST_ROWS)
      .default([])
      .openapi({ description: 'Instead of `threshold_amount` for the coins named.' }),
    signers: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(255).openapi({ description: "Id of the approver's registration." }),
          public_key: z
            .string()
            .min(1)
            .max(1_000)
            .openapi({ description: 'The registered Ed25519 key: base64, or hex with 0x.' }),
          role: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
        }),
      )
      .max(100)
      .default([])
      .openapi({ description: "Only they count above the threshold; none: every approver's approval does." }),
    required_roles: z.array(z.string().max(63)).max(20).default([]),
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
const riskParts = {
  threshold: z.number().min(0).max(100).openapi({ description: 'Higher scores are reviewed by a person.' }),
  weights: z.strictObject({
    amount: weight,
    destination: weight,
    frequency: weight,
    geography: weight,
    behaviour: weight,
  }),
  high_risk_countries: z.array(z.string().regex(/^[A-Z]{2}$/, 'ISO 3166-1 alpha-2')).max(300),
}
const parts = {
  limits: z.strictObject({ merchant: limits, user: limits }),
  multisig_config: multisig,
  confirmation_tiers: tiers.openapi({
    description: "Adds to the network's own confirmations: the highest number that matches holds.",
  }),
  risk: z.strictObject(riskParts),
  whitelist: z.strictObject({ mode: z.enum(['off', 'required']) }),
  held_deposits: z.strictObject({
    release_approvals: z.union([z.literal(1), z.literal(2)]).openapi({
      description: 'With 2, two people who did not ask approve the release of a deposit that was set aside.',
    }),
  }),
}
export const policyBody = z
  .strictObject({
    ...parts,
    limits: parts.limits.partial(),
    risk: z.strictObject({ ...riskParts, weights: riskParts.weights.partial() }).partial(),
  })
  .partial()
  .openapi('PolicyUpdate', { description: 'A part that is left out stays as it is.' })

export const policyView = z
  .object({
    version: z.int().openapi({ description: '0 until the first change holds.' }),
    effective_at: z.string().nullable(),
    ...parts,
    pending_changes: z
      .array(z.string())
      .openapi({ description: 'Ids of changes that do not hold entirely yet.' }),
  })
  .openapi('Policy')

export const changeView = z
  .object({
    id: z.string(),
    state: z.enum(CONTROL_CHANGE_STATES),
    changes: z.array(
      z.object({
        field: z.string(),
        from: z.unknown(),
        to: z.unknown(),
        effect: z.enum(['tightening', 'loosening']).openapi({
          description: 'Tightening holds as soon as it is approved, loosening after the cool-down.',
        }),
      }),
    ),
    base_version: z.int(),
    superseded: z.array(z.string()).openapi({
      description:
        'Fields that stayed as they were, because something stricter had taken their place; the change then ends as `superseded`.',
    }),
    effective_at: z.string().openapi({
      description: 'When all of it holds; until it is approved, the earliest that this can be.',
    }),
    intent_hash: z.string(),
    required_approvals: z.int(),
    approvals: z.array(z.record(z.string(), z.unknown())),
    initiator: z.string(),
    history: z.array(z.object({ state: z.enum(CONTROL_CHANGE_STATES), at: z.string(), cause: z.string() })),
    expires_at: z.string(),
    created_at: z.string(),
  })
  .openapi('PolicyChange')
