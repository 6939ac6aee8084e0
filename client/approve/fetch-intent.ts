/** Fetches an intent that needs approval, and computes its hash here. */

import { z } from 'zod'
import { ACCOUNT_CLASSES } from '../../domain/books/period-books.js'
import {
  type AnyIntent,
  INTENT_KINDS,
  intentHash,
  JOURNAL_RESOLUTIONS,
} from '../../domain/controls/intent.js'
import { visibleText } from '../../domain/visible-text.js'
import { callApi } from './call-api.js'
import type { Credentials } from './credentials.js'
import { subjectOf } from './describe-intent.js'
import { Failure } from './failure.js'

const digits = z.string().regex(/^\d+$/)

/** The schemas are strict: an approver must not sign a field that this program does not show. */
const payoutSchema = z.strictObject({
  version: z.literal(1),
  kind: z.enum(INTENT_KINDS),
  merchant: z.string(),
  withdrawal: z.string(),
  signer: z.string().optional(),
  external_id: z.string().nullable(),
  network: z.string(),
  asset: z.strictObject({
    coin: z.string(),
    contract: z.string().nullable(),
    decimals: z.int().min(0).max(36),
  }),
  outputs: z.array(z.strictObject({ address: z.string(), amount: digits })).min(1),
  fee_payer: z.enum(['sender', 'recipient']),
  fee_limit: z.strictObject({ coin: z.string(), amount: digits }),
  initiator: z.string(),
  co_initiators: z.array(z.string()).min(1).optional(),
  created_at: z.string(),
  expires_at: z.string(),
})
const asked = { merchant: z.string(), initiator: z.string(), created_at: z.string(), expires_at: z.string() }
const policySchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('policy'),
  change: z.string(),
  base_version: z.int().min(0),
  changes: z
    .array(
      z.strictObject({
        field: z.string(),
        from: z.json(),
        to: z.json(),
        effect: z.enum(['tightening', 'loosening']),
      }),
    )
    .min(1),
  cool_down_seconds: z.int().min(0),
  ...asked,
})
const whitelistSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('whitelist'),
  entry: z.string(),
  network: z.string(),
  address: z.string(),
  label: z.string(),
  daily_limit: z.string().nullable(),
  monthly_limit: z.string().nullable(),
  cool_down_seconds: z.int().min(0),
  ...asked,
})
const releaseSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('deposit_release'),
  release: z.string(),
  deposit: z.string(),
  epoch: z.int().min(0),
  network: z.string(),
  asset: z.strictObject({
    coin: z.string(),
    contract: z.string().nullable(),
    decimals: z.int().min(0).max(36),
  }),
  amount: digits,
  address: z.string(),
  user_reference: z.string().nullable(),
  transaction_hash: z.string(),
  sources: z.array(z.string()),
  reason: z.string(),
  cool_down_seconds: z.int().min(0),
  ...asked,
})
const closeSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('period_close'),
  close: z.string(),
  period: z.string(),
  from: z.string(),
  to: z.string(),
  trial_balance: z.array(
    z.strictObject({
      class: z.enum(ACCOUNT_CLASSES),
      account: z.string(),
      network: z.string(),
      coin: z.string(),
      balance: z.string(),
    }),
  ),
  proof: z.array(z.strictObject({ network: z.string(), block_number: z.int(), block_hash: z.string() })),
  hash: z.string(),
  cool_down_seconds: z.int().min(0),
  ...asked,
})
const reopeningSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('period_reopen'),
  reopening: z.string(),
  period: z.string(),
  hash: z.string(),
  reason: z.string(),
  cool_down_seconds: z.int().min(0),
  ...asked,
})
const resumptionSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('settlement_resume'),
  resumption: z.string(),
  pause: z.string(),
  pause_reason: z.string(),
  since: z.string(),
  reason: z.string(),
  cool_down_seconds: z.int().min(0),
  ...asked,
})
const resolutionSchema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('exception_resolution'),
  request: z.string(),
  exception: z.string(),
  exception_kind: z.string(),
  exception_reason: z.string(),
  resolution: z.enum(JOURNAL_RESOLUTIONS),
  network: z.string(),
  asset: z.strictObject({
    coin: z.string(),
    contract: z.string().nullable(),
    decimals: z.int().min(0).max(36),
  }),
  amount: digits,
  from_user_reference: z.string().nullable(),
  to_user_reference: z.string().nullable(),
  address_id: z.string().nullable(),
  address: z.string().nullable(),
  comment: z.string(),
  cool_down_seconds: z.int().min(0),
  ...asked,
})
/** Kinds of intents that each path may hold. */
const KINDS_OF: Readonly<Record<string, readonly AnyIntent['kind'][]>> = {
  withdrawals: ['withdrawal'],
  batches: ['batch'],
  movements: ['consolidation', 'gas_funding', 'rebalance'],
  'policy/changes': ['policy'],
  'whitelist/addresses': ['whitelist'],
  'deposits/releases': ['deposit_release'],
  exceptions: ['exception_resolution'],
  periods: ['period_close', 'period_reopen'],
  'settlement/resumptions': ['settlement_resume'],
}
/** Kinds of intents that an id without a path may name. */
const WHOLE_IDS: readonly AnyIntent['kind'][] = ['withdrawal', 'batch']

const intentSchema = z.union([
  payoutSchema,
  policySchema,
  whitelistSchema,
  releaseSchema,
  resolutionSchema,
  closeSchema,
  reopeningSchema,
  resumptionSchema,
])
const answerSchema = z.object({ intent: intentSchema, intent_hash: z.string() })

/** An intent, and the hash that was computed from its canonical form. */
export interface FetchedIntent {
  readonly intent: AnyIntent
  readonly hash: string
  /** Path under `/api/v1`, e.g. `/withdrawals/withdrawal_1`. */
  readonly path: string
}

/**
 * Fetches an intent.
 *
 * @param id - The id of a withdrawal or a batch, or a path such as `policy/changes/pol_1`,
 * `whitelist/addresses/wla_1`, `deposits/releases/rel_1`, `exceptions/exc_1`, `periods/2026-11`,
 * `settlement/resumptions/rsm_1`.
 * @throws Failure when the intent is another one, or has another hash than the platform names.
 */
export async function fetchIntent(credentials: Credentials, id: string): Promise<FetchedIntent> {
  const path = pathOf(id)
  const answer = answerSchema.safeParse(await callApi(credentials, `${path}/intent`))
  if (!answer.success) {
    throw new Failure(
      `This is not an intent that this program can show: ${visibleText(z.prettifyError(answer.error).replaceAll('\n', ' '))}`,
    )
  }
  const intent = answer.data.intent as AnyIntent
  requireAskedFor(id, intent)
  const hash = intentHash(intent)
  if (hash !== answer.data.intent_hash) {
    throw new Failure(
      `The platform says the intent's hash is ${visibleText(answer.data.intent_hash)}; it is ${hash}. Do not sign.`,
    )
  }
  return { intent, hash, path }
}

/**
 * Checks that the intent is the one that the approver asked for. Another intent could be genuine too, and the
 * approver would sign it for the first.
 *
 * @throws Failure when the intent has another id, or another kind than the path.
 */
function requireAskedFor(id: string, intent: AnyIntent): void {
  const parts = id.split('/').filter(Boolean)
  const wanted = parts.at(-1) ?? ''
  const given = subjectOf(intent)
  if (given !== wanted) {
    throw new Failure(
      `You asked for ${visibleText(wanted)}, the platform shows ${visibleText(given)}. Do not sign.`,
    )
  }
  const kinds = parts.length === 1 ? WHOLE_IDS : KINDS_OF[parts.slice(0, -1).join('/')]
  if (kinds?.includes(intent.kind)) return
  throw new Failure(`${visibleText(id)} is not a ${intent.kind}, which the platform shows. Do not sign.`)
}

function pathOf(id: string): string {
  if (id.includes('/')) return `/${id.split('/').filter(Boolean).map(encodeURIComponent).join('/')}`
  return `/${id.startsWith('batch_') ? 'batches' : 'withdrawals'}/${encodeURIComponent(id)}`
}
