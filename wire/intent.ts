/**
 * Intents: what approvers sign. Their types are the domain's, because the signer hashes them too; an intent that
 * differs from its schema here does not compile.
 */

import { z } from 'zod'
import {
  type AnyIntent,
  type DepositReleaseIntent,
  type ExceptionResolutionIntent,
  INTENT_KINDS,
  type Intent,
  JOURNAL_RESOLUTIONS,
  type PeriodCloseIntent,
  type PeriodReopenIntent,
  type PolicyIntent,
  type SettlementResumeIntent,
  type WhitelistIntent,
} from '../domain/controls/intent.js'
import { ProofBlock, TrialBalanceLine } from './period.js'
import { PolicyEdit } from './policy.js'

const requested = { initiator: z.string(), created_at: z.string(), expires_at: z.string() }
const asset = z.object({ coin: z.string(), contract: z.string().nullable(), decimals: z.int() })
const baseUnits = z.string().meta({ description: 'In base units.' })

const payoutIntent: z.ZodType<Intent> = z
  .object({
    version: z.literal(1),
    kind: z.enum(INTENT_KINDS),
    merchant: z.string(),
    withdrawal: z.string(),
    signer: z.string().optional().meta({
      description: 'Id of the signer that pays. Absent in intents that were made before they named it.',
      example: 'sig_0193…',
    }),
    external_id: z.string().nullable(),
    network: z.string().meta({ description: 'CAIP-2.', example: 'eip155:1' }),
    asset,
    outputs: z.array(z.object({ address: z.string(), amount: baseUnits })).readonly(),
    fee_payer: z.enum(['sender', 'recipient']),
    fee_limit: z.object({ coin: z.string(), amount: z.string() }),
    co_initiators: z
      .array(z.string())
      .readonly()
      .optional()
      .meta({ description: 'Others who changed what it pays. Absent where there are none.' }),
    ...requested,
  })
  .meta({ id: 'PayoutIntent', description: 'What a payout pays to whom, as approvers sign it.' })

const policyIntent: z.ZodType<PolicyIntent> = z
  .object({
    version: z.literal(1),
    kind: z.literal('policy'),
    merchant: z.string(),
    change: z.string(),
    base_version: z.int(),
    changes: z.array(PolicyEdit).readonly(),
    cool_down_seconds: z.int(),
    ...requested,
  })
  .meta({ id: 'PolicyIntent', description: 'A change of the policy, as approvers sign it.' })

const whitelistIntent: z.ZodType<WhitelistIntent> = z
  .object({
    version: z.literal(1),
    kind: z.literal('whitelist'),
    merchant: z.string(),
    entry: z.string(),
    network: z.string(),
    address: z.string(),
    label: z.string(),
    daily_limit: z.string().nullable(),
    monthly_limit: z.string().nullable(),
    cool_down_seconds: z.int(),
    ...requested,
  })
  .meta({ id: 'WhitelistIntent', description: 'A whitelist entry, as approvers sign it.' })

const depositReleaseIntent: z.ZodType<DepositReleaseIntent> = z
  .object({
    version: z.literal(1),
    kind: z.literal('deposit_release'),
    merchant: z.string(),
    release: z.string(),
    deposit: z.string(),
    epoch: z.int(),
    network: z.string(),
    asset,
    amount: baseUnits,
    address: z.string(),
    user_reference: z.string().nullable(),
    transaction_hash: z.string(),
    sources: z.array(z.string()).readonly(),
    reason: z.string(),
    cool_down_seconds: z.int(),
    ...requested,
  })
  .meta({ id: 'DepositReleaseIntent', description: 'The release of a held deposit, as approvers sign it.' })

const periodIntent: z.ZodType<PeriodCloseIntent | PeriodReopenIntent> = z
  .discriminatedUnion('kind', [
    z.object({
      version: z.literal(1),
      kind: z.literal('period_close'),
      merchant: z.string(),
      close: z.string(),
      period: z.string(),
      from: z.string(),
      to: z.string(),
      trial_balance: z.array(TrialBalanceLine).readonly(),
      proof: z.array(ProofBlock).readonly(),
      hash: z.string(),
      cool_down_seconds: z.int(),
      ...requested,
    }),
    z.object({
      version: z.literal(1),
      kind: z.literal('period_reopen'),
      merchant: z.string(),
      reopening: z.string(),
      period: z.string(),
      hash: z.string(),
      reason: z.string(),
      cool_down_seconds: z.int(),
      ...requested,
    }),
  ])
  .meta({ id: 'PeriodIntent', description: 'The close or re-opening of a period, as approvers sign it.' })

const exceptionResolutionIntent: z.ZodType<ExceptionResolutionIntent> = z
  .object({
    version: z.literal(1),
    kind: z.literal('exception_resolution'),
    merchant: z.string(),
    request: z.string(),
    exception: z.string(),
    exception_kind: z.string(),
    exception_reason: z.string(),
    resolution: z.enum(JOURNAL_RESOLUTIONS),
    network: z.string(),
    asset,
    amount: baseUnits,
    from_user_reference: z.string().nullable(),
    to_user_reference: z.string().nullable(),
    address_id: z.string().nullable(),
    address: z.string().nullable(),
    comment: z.string(),
    cool_down_seconds: z.int(),
    ...requested,
  })
  .meta({
    id: 'ExceptionResolutionIntent',
    description: 'The resolution of an exception by a journal, as approvers sign it.',
  })

const settlementResumeIntent: z.ZodType<SettlementResumeIntent> = z
  .object({
    version: z.literal(1),
    kind: z.literal('settlement_resume'),
    merchant: z.string(),
    resumption: z.string(),
    pause: z.string(),
    pause_reason: z.string(),
    since: z.string(),
    reason: z.string(),
    cool_down_seconds: z.int(),
    ...requested,
  })
  .meta({
    id: 'SettlementResumeIntent',
    description: 'The end of a pause of settlement, as approvers sign it.',
  })

const hash = z
  .string()
  .meta({ description: 'Hex SHA-256 of "keyturn-intent-v1\\n" and the RFC 8785 form of `intent`.' })

/** Returns the answer of `/intent`: the intent and its hash. */
const answerOf = (id: string, intent: z.ZodType<AnyIntent>) =>
  z
    .object({ intent, intent_hash: hash })
    .meta({ id, description: 'An intent, and the hash that approvers sign.' })

export const WithdrawalIntentAnswer = answerOf('Intent', payoutIntent)
export const MovementIntentAnswer = answerOf('MovementIntent', payoutIntent)
export const BatchIntentAnswer = answerOf('BatchIntent', payoutIntent)
export const PolicyIntentAnswer = answerOf('PolicyChangeIntent', policyIntent)
export const WhitelistIntentAnswer = answerOf('WhitelistEntryIntent', whitelistIntent)
export const ResolutionIntentAnswer = answerOf('ExceptionResolutionRequestIntent', exceptionResolutionIntent)
export const ReleaseIntentAnswer = answerOf('DepositReleaseRequestIntent', depositReleaseIntent)

export const PeriodIntentAnswer = answerOf('PeriodChangeIntent', periodIntent)
export const SettlementResumeIntentAnswer = answerOf('SettlementResumeRequestIntent', settlementResumeIntent)

export type IntentAnswer = z.infer<ReturnType<typeof answerOf>>
