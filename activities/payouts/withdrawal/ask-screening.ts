/** Asks a screening service about one destination, or about one deposit. */

import { Context } from '@temporalio/activity'
import { z } from 'zod'
import type { ScreeningResult } from '../../../db/payouts/withdrawals/store-screening.js'
import { signWebhook } from '../../../domain/events/webhook-signature.js'
import type { Sender } from '../../../egress/create-sender.js'

/** The service, and the way to it. */
export interface ScreeningService {
  readonly sender: Sender
  readonly url: string
  /** `whsec_…`; null: the question is not signed. */
  readonly secret: string | null
}

const answer = z.object({
  result: z.enum(['approved', 'rejected', 'review']),
  reason: z.string().max(500).nullable().default(null),
  reference: z.string().max(255).nullable().default(null),
})

/**
 * Posts a question, signed as a Standard Webhook with its id; the same question always has the same id.
 *
 * @returns What the service said; whatever is no such answer is unavailable: nothing passes unscreened.
 */
export async function askScreening(
  screening: ScreeningService,
  question: { readonly id: string; readonly [field: string]: unknown },
): Promise<ScreeningResult | { readonly unavailable: string }> {
  const { id } = question
  const body = Buffer.from(JSON.stringify(question))
  const timestamp = Math.floor(Date.now() / 1_000)
  const secrets = screening.secret === null ? [] : [screening.secret]
  const sent = await screening.sender.send({
    url: screening.url,
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Keyturn-Screening/1',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      ...(secrets.length === 0 ? {} : { 'webhook-signature': signWebhook({ id, timestamp, body, secrets }) }),
    },
    signal: Context.current().cancellationSignal,
  })
  if (sent.error !== null) return { unavailable: sent.error }
  const parsed = answer.safeParse(parseJson(sent.response ?? ''))
  return parsed.success ? parsed.data : { unavailable: 'the service answered something else than a result' }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
