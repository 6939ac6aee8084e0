/** People of a merchant: each has an API key and an approver's key that signs decisions. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createApprover } from '../../db/merchants/create-approver.js'
import { createPerson } from '../../db/merchants/create-person.js'
import { approvalMessage, type Decision } from '../../domain/controls/approval.js'
import type { Answer, ApiKeyPair, TestApi } from './test-api.js'

export interface TestPerson {
  readonly id: string
  readonly approverId: string
  readonly key: ApiKeyPair
  readonly privateKey: KeyObject
}

/** Registers a person with an API key and an approver's key. */
export async function newPerson(api: TestApi, name: string): Promise<TestPerson> {
  const { sql } = api.database
  const { merchantId } = api
  const id = await createPerson(sql, { merchantId, name })
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const approverId = await createApprover(sql, { merchantId, personId: id, ed25519PublicKey: raw })
  const key = await api.newKey({ personId: id })
  return { id, approverId, key, privateKey }
}

/**
 * Reads the intent below a path, signs a decision about it and sends the decision.
 *
 * @param path - Path of what is decided, without `/intent` or `/approvals`.
 * @param change - Fields that replace those of the decision before it is signed; a `signature` replaces the
 *   signature.
 */
export async function sendDecision(
  api: TestApi,
  path: string,
  person: TestPerson,
  decision: Decision,
  change: Record<string, unknown> = {},
): Promise<Answer> {
  const { json } = await api.call({ path: `${path}/intent` })
  const signed = {
    decision,
    intent_hash: json.data?.intent_hash ?? '0'.repeat(64),
    signed_at: new Date().toISOString(),
    approver_id: person.approverId,
    ...change,
  }
  const { approver_id: _, ...body } = signed
  return api.call({
    method: 'POST',
    path: `${path}/approvals`,
    key: person.key,
    body: {
      ...body,
      signature: sign(null, Buffer.from(approvalMessage(signed)), person.privateKey).toString('base64'),
      ...(change.signature === undefined ? {} : { signature: change.signature }),
    },
  })
}
