/** Reads the webhooks that the sample merchant's endpoint received. */

import { z } from 'zod'
import type { StackFile } from '../stack/stack-file.js'
import { until } from './until.js'

const received = z.array(z.object({ raw_body: z.string(), verified: z.boolean() }))
const webhook = z.object({ event: z.string(), data: z.record(z.string(), z.unknown()) })

/** Waits until the sample merchant has the last webhook of an object. @returns The number of its webhooks. */
export async function webhooksOf(
  stack: StackFile,
  id: string,
  event: string,
  status: string,
): Promise<number> {
  return until(`the webhook ${event} ${status}`, async () => {
    const response = await fetch(stack.webhook.received)
    const all = received
      .parse(await response.json())
      .map(({ raw_body, verified }) => ({ verified, ...webhook.parse(JSON.parse(raw_body)) }))
    const mine = all.filter((each) => each.event === event && (each.data.id ?? each.data.payment_id) === id)
    if (mine.some((each) => !each.verified)) throw new Error('a webhook had a signature that is not valid')
    return mine.some((each) => each.data.status === status) ? mine.length : null
  })
}
