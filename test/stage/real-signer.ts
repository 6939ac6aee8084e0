/**
 * Puts the customer's real signer behind the double's transport, with its policy, checks, journal and
 * signing.
 */

import { createPublicKey } from 'node:crypto'
import type { SigningAnswer, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { generousPolicy } from '../../local/stack/generous-policy.js'
import { createApprovalVerifier } from '../../signer/approval-verifier.js'
import { decide } from '../../signer/decide.js'
import { Journal } from '../../signer/journal/journal.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { openMemoryWitness } from '../../signer/journal/witness.js'
import { openKeyring } from '../../signer/keys/keyring.js'
import { defaultPolicy } from '../../signer/policy/default-policy.js'
import { compilePolicy } from '../../signer/policy/policy.js'
import type { SignerState } from '../../signer/state.js'
import type { Stage } from './start-stage.js'

/**
 * Makes the state of a signer that decides by the policy that `init` writes for these networks, with generous limits, and
 * that knows the approvers of the stage. Its journal is empty.
 */
export function realSignerState(stage: Stage): SignerState {
  const policy = generousPolicy(
    defaultPolicy({
      merchantId: stage.api.merchantId,
      platformPublicKey: Buffer.alloc(32, 9).toString('base64'),
      networks: stage.networks,
      limits: new Map(),
    }),
  )
  const approvers = stage.people.map((person) => {
    const { x } = createPublicKey(person.privateKey).export({ format: 'jwk' })
    return {
      approver_id: person.approverId,
      person_id: person.id,
      name: person.id,
      public_key: Buffer.from(x ?? '', 'base64url').toString('base64'),
    }
  })
  const now = () => Date.now()
  return {
    signerId: stage.signer.signerId,
    policy: compilePolicy({ ...policy, approvers }),
    keyring: openKeyring(stage.signer.seed),
    approvals: createApprovalVerifier(),
    journal: new Journal(openMemoryStore(), now),
    witness: openMemoryWitness(),
    now,
    paused: () => false,
    locked: () => false,
  }
}

/**
 * Makes a signer with the state of `realSignerState`.
 *
 * @returns The behaviour for `stage.signer.run`.
 */
export function realSigner(stage: Stage): (request: SigningRequest) => Promise<Partial<SigningAnswer>> {
  const state = realSignerState(stage)
  return async (request) => {
    const decision = decide(request, state)
    return decision.outcome === 'signed'
      ? {
          outcome: 'signed',
          signed_transaction: decision.signedTransaction,
          transaction_hash: decision.transactionHash,
        }
      : { outcome: 'refused', code: decision.code, message: decision.message }
  }
}
