/** Asks a screening service one question: about a deposit, a destination or a recipient of a batch. */

import { z } from 'zod'
import type { ScreeningResult } from '../../domain/controls/screening-result.js'
import { signWebhook } from '../../domain/events/webhook-signature.js'
import type { ScreeningService } from './create-screening-service.js'

const answer = z.object({
  result: z.enum(['approved', 'rejected', 'review']),
  reason: z.string().max(500).nullable().default(null),
  reference: z.string().max(255).nullable().default(null),
})

/**
 * Posts a question, signed as a Standard Webhook with its id. The same question always has the same id.
 *
 * @param signal - Aborts the question, for example when the worker shuts down.
 * @returns The answer. Any other response counts as unavailable, so that nothing passes unscreened.
 */
export async function askScreening(
  screening: ScreeningService,
  question: { readonly id: string; readonly [field: string]: unknown },
  signal: AbortSignal,
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
    signal,
  })
  if (sent.error !== null) return { unavailable: sent.error }
  const parsed = answer.safeParse(parseJson(sent.response ?? ''))
  return parsed.success ? parsed.data : { unavailable: 'the service did not answer with a result' }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
