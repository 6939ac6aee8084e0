/** Approves as two people do who take their time, each with an own device. */

import { createPrivateKey } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { signDecision } from '../../client/approve/sign-decision.js'
import { createClient } from '../../client/create-client.js'
import { intentHash } from '../../domain/controls/intent.js'
import type { StackFile } from '../../local/stack/stack-file.js'

/** Options of a client that tries again long enough for a process that was killed to come back. */
export const PATIENT = { attempts: 200, timeoutMs: 10_000 } as const

/**
 * Approves a withdrawal, a batch, the close of a period or a resolution as two people.
 *
 * @param thinkMs - Pause before each of the two approvals, in milliseconds.
 */
export async function approve(
  stack: StackFile,
  kind: 'withdrawals' | 'batches' | 'periods' | 'exceptions',
  id: string,
  thinkMs: readonly [number, number],
): Promise<void> {
  for (const [index, person] of stack.approvers.slice(0, 2).entries()) {
    await sleep(thinkMs[index])
    const subjects = createClient({
      baseUrl: stack.api,
      apiKey: person.api_key,
      apiSecret: person.api_secret,
      ...PATIENT,
    })[kind]
    const { intent, intent_hash } = await subjects.intent(id)
    if (intentHash(intent) !== intent_hash) throw new Error('The intent is not what its hash says')
    const decision = signDecision({
      decision: 'approve',
      intentHash: intent_hash,
      approverId: person.id,
      privateKey: createPrivateKey(person.ed25519_private_key_pem),
    })
    await subjects.decide(id, decision, { idempotencyKey: `${id} ${person.id}` })
  }
}
