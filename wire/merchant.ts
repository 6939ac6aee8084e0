/** Merchants, as the operator of the platform sees them. */

import { z } from 'zod'

const rail = { network: z.string(), coin: z.string() }

/** What a person gives for a decision. */
const Evidence = z
  .union([z.string(), z.record(z.string(), z.unknown())])
  .meta({ description: 'Links, numbers of tickets, findings: a text or an object.' })

export const MerchantDecision = z
  .object({
    id: z.string(),
    kind: z.enum(['suspended', 'resumed', 'rail_enabled', 'rail_disabled']),
    network: z.string().nullable(),
    coin: z.string().nullable(),
    reason: z.string(),
    evidence: Evidence.nullable(),
    actor: z.string(),
    decided_at: z.iso.datetime(),
  })
  .meta({ id: 'MerchantDecision', description: 'What the operator decided about a merchant.' })

export const Merchant = z
  .object({
    id: z.string().meta({ example: 'mer_0193…' }),
    name: z.string(),
    stage: z.enum(['intake', 'approved', 'suspended']),
    rails: z.array(z.object(rail)).readonly().meta({ description: 'What is enabled.' }),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'Merchant', description: 'A merchant of the platform.' })
export type Merchant = z.infer<typeof Merchant>

export const MerchantWithDecisions = Merchant.extend({
  decisions: z.array(MerchantDecision).readonly().meta({ description: 'Newest first, at most 100.' }),
}).meta({ id: 'MerchantWithDecisions', description: 'A merchant, and what was decided about it.' })
export type MerchantWithDecisions = z.infer<typeof MerchantWithDecisions>

const reason = z.string().trim().min(1).max(500)
/** Longest evidence as JSON, in characters. */
const MOST_EVIDENCE = 10_000

export const DecideMerchant = z
  .strictObject({
    reason,
    evidence: Evidence.refine(
      (value) => JSON.stringify(value).length <= MOST_EVIDENCE,
      `has at most ${MOST_EVIDENCE} characters`,
    ).optional(),
  })
  .meta({ id: 'DecideMerchant', description: 'A decision about a merchant.' })
export type DecideMerchant = z.infer<typeof DecideMerchant>

export const DecideRail = z
  .strictObject({ network: z.string().max(64), coin: z.string().max(64), enabled: z.boolean(), reason })
  .meta({ id: 'DecideRail', description: 'Whether a merchant may use a coin of a network.' })
export type DecideRail = z.infer<typeof DecideRail>
