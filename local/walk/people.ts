/** Plays the merchant's backend and its approvers in the walk: over HTTP, each with a key of its own. */

import { sign } from 'node:crypto'
import type { ExportedXpub } from '../../client/check-address.js'
import { type Client, createClient } from '../../client/create-client.js'
import type { Withdrawal } from '../../client/types.js'
import { approvalMessage } from '../../domain/controls/approval.js'
import { intentHash } from '../../domain/controls/intent.js'
import type { StackFile } from '../stack/stack-file.js'
import { until } from './until.js'

/** Creates a client with a key. With `xpubs` it derives each returned address again. */
export function clientOf(
  baseUrl: string,
  key: { readonly api_key: string; readonly api_secret: string },
  xpubs?: readonly ExportedXpub[],
): Client {
  return createClient({
    baseUrl,
    apiKey: key.api_key,
    apiSecret: key.api_secret,
    ...(xpubs ? { xpubs } : {}),
  })
}

/**
 * Approves as two approvers: each reads the intent, hashes it again, and signs the decision.
 *
 * @returns Their names.
 */
export async function approve(
  stack: StackFile,
  kind: 'withdrawals' | 'batches',
  id: string,
): Promise<string> {
  const people = stack.approvers.slice(0, 2)
  for (const approver of people) {
    const subject = clientOf(stack.api, approver)[kind]
    const { intent, intent_hash } = await subject.intent(id)
    if (intentHash(intent) !== intent_hash) throw new Error('The intent is not what its hash says')
    const decision = { decision: 'approve', intent_hash, signed_at: new Date().toISOString() } as const
    const message = approvalMessage({ ...decision, approver_id: approver.id })
    const signature = sign(null, Buffer.from(message), approver.ed25519_private_key_pem).toString('base64')
    await subject.decide(id, { ...decision, signature })
  }
  return people.map(({ name }) => name).join(' and ')
}

/** Waits until a withdrawal is confirmed. @throws Error with the reason when it ends otherwise. */
export async function paid(client: Client, id: string): Promise<Withdrawal> {
  return until('the withdrawal is confirmed', async () => {
    const now = await client.withdrawals.get(id)
    if (now.status === 'failed' || now.status === 'cancelled')
      throw new Error(`${now.stage}: ${now.failure?.code ?? ''} ${now.failure?.message ?? ''}`)
    return now.status === 'confirmed' ? now : null
  })
}
