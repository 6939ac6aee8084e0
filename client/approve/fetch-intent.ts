/** The intent of something that needs approval, with its hash computed here. */

import { z } from 'zod'
import { type Intent, intentHash } from '../../domain/intent.js'
import { callApi } from './call-api.js'
import type { Credentials } from './credentials.js'
import { Failure } from './failure.js'

const digits = z.string().regex(/^\d+$/)

/** Strict: a field that this program does not show must not be signed unseen. */
const intentSchema = z.strictObject({
  version: z.literal(1),
  kind: z.enum(['withdrawal', 'batch']),
  merchant: z.string(),
  withdrawal: z.string(),
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
  created_at: z.string(),
  expires_at: z.string(),
})
const answerSchema = z.object({ intent: intentSchema, intent_hash: z.string() })

/** An intent whose hash was recomputed from its canonical form. */
export interface FetchedIntent {
  readonly intent: Intent
  readonly hash: string
  /** Path under `/api/v1`, e.g. `/withdrawals/withdrawal_1`. */
  readonly path: string
}

/**
 * Fetches an intent.
 *
 * @param id - A withdrawal's id, or a path such as `batches/batch_1`.
 * @throws Failure when the platform names another hash than the intent has.
 */
export async function fetchIntent(credentials: Credentials, id: string): Promise<FetchedIntent> {
  const path = id.includes('/')
    ? `/${id.split('/').filter(Boolean).map(encodeURIComponent).join('/')}`
    : `/withdrawals/${encodeURIComponent(id)}`
  const answer = answerSchema.safeParse(await callApi(credentials, `${path}/intent`))
  if (!answer.success) {
    throw new Failure(`This is not an intent that this program can show:\n${z.prettifyError(answer.error)}`)
  }
  const hash = intentHash(answer.data.intent)
  if (hash !== answer.data.intent_hash) {
    throw new Failure(
      `The platform says the intent's hash is ${answer.data.intent_hash}; it is ${hash}. Do not sign.`,
    )
  }
  return { intent: answer.data.intent, hash, path }
}
