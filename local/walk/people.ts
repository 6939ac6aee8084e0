/** The merchant's backend and its approvers, as the walk plays them: over HTTP, each with a key of its own. */

import { sign } from 'node:crypto'
import type { ExportedXpub } from '../../client/check-address.js'
import { type Client, createClient } from '../../client/create-client.js'
import { approvalMessage } from '../../domain/approval.js'
import { intentHash } from '../../domain/intent.js'
import type { StackFile } from '../stack/stack-file.js'

/** A client with somebody's key; with `xpubs` it derives each returned address anew. */
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

/** Approves as one of the approvers: reads the intent, hashes it anew, signs the decision. */
export async function approve(
  baseUrl: string,
  approver: StackFile['approvers'][number],
  withdrawalId: string,
): Promise<void> {
  const { withdrawals } = clientOf(baseUrl, approver)
  const { intent, intent_hash } = await withdrawals.intent(withdrawalId)
  if (intentHash(intent) !== intent_hash) throw new Error('The intent is not what its hash says')
  const decision = { decision: 'approve', intent_hash, signed_at: new Date().toISOString() } as const
  const message = approvalMessage({ ...decision, approver_id: approver.id })
  const signature = sign(null, Buffer.from(message), approver.ed25519_private_key_pem).toString('base64')
  await withdrawals.decide(withdrawalId, { ...decision, signature })
}
