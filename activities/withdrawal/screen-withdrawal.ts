/** Asks a screening service about the destination of a withdrawal, before anybody may approve it. */

import { Context } from '@temporalio/activity'
import { z } from 'zod'
import { storeScreening } from '../../db/withdrawals/store-screening.js'
import type { WithdrawalRow } from '../../db/withdrawals/withdrawal-row.js'
import { formatAmount } from '../../domain/money.js'
import { findCoin, findNetwork, type Networks } from '../../domain/network.js'
import { signWebhook } from '../../domain/webhook-signature.js'
import type { Sender } from '../egress/create-sender.js'
import { type WaitStep, type WithdrawalChainDependencies, waitFor } from './dependencies.js'

/** The service, and the way to it. */
export interface DestinationScreening {
  readonly sender: Sender
  readonly url: string
  /** `whsec_…`; null: the question is not signed. */
  readonly secret: string | null
}

/** `done`: look at the row. */
export type ScreenStep = { readonly kind: 'done' } | WaitStep

const answer = z.object({
  result: z.enum(['approved', 'rejected', 'review']),
  reason: z.string().max(500).nullable().default(null),
  reference: z.string().max(255).nullable().default(null),
})

/**
 * Posts the withdrawal, signed as a Standard Webhook whose id is the withdrawal's; the answer is stored. Whatever is no such
 * answer means that it waits: nothing passes unscreened.
 */
export async function screenWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<ScreenStep> {
  const { sql, networks, screening } = dependencies
  const [row] = await sql<WithdrawalRow[]>`SELECT * FROM withdrawals WHERE id = ${id}`
  if (row?.stage !== 'requested' || row.screening?.state !== 'pending') return { kind: 'done' }
  const unavailable = (reason: string) =>
    waitFor(dependencies, id, 'SCREENING_UNAVAILABLE', `The destination is not screened yet: ${reason}`)
  if (!screening) return unavailable('this worker knows no screening service')
  const body = Buffer.from(JSON.stringify(question(networks, row)))
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
  if (sent.error !== null) return unavailable(sent.error)
  const parsed = answer.safeParse(parseJson(sent.response ?? ''))
  if (!parsed.success) return unavailable('the service answered something else than a result')
  await storeScreening(sql, networks, id, parsed.data)
  return { kind: 'done' }
}

/** Amounts are decimal strings in whole coins. */
function question(networks: Networks, row: WithdrawalRow) {
  const { decimals } = findCoin(findNetwork(networks, row.network), row.coin)
  return {
    id: row.id,
    merchant_id: row.merchant_id,
    network: row.network,
    coin: row.coin,
    amount: row.amount_text ?? formatAmount(row.amount, decimals),
    to_address: row.to_address,
    user_reference: row.user_reference,
    external_id: row.external_id,
    metadata: row.metadata,
    risk: row.risk,
    created_at: row.created_at.toISOString(),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
