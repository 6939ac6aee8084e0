/** Requests a change of the policy: freezes the differences as an intent that two people must approve. */

import { rawKey } from '../../../domain/controls/multisig.js'
import type { MultisigConfig, PolicyUpdate } from '../../../domain/controls/policy.js'
import { diffPolicies, updatedPolicy } from '../../../domain/controls/policy-change.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { appendControlChangeEvent } from '../changes/append-control-change-event.js'
import { insertControlChange } from '../changes/insert-control-change.js'
import { readPolicy } from './read-policy.js'

export interface NewPolicyChange {
  readonly merchantId: string
  /** Update whose networks and coins the caller has checked. */
  readonly update: PolicyUpdate
  readonly initiator: string
  readonly actor: string
  readonly coolDownMs: number
  readonly expiryMs: number
}

/**
 * Stores the change.
 *
 * @returns The id of the change (`pol_…`).
 * @throws KeyturnError `VALIDATION_FAILED` if nothing would change, or if a signer is not registered as
 * written.
 */
export async function createPolicyChange(tx: Transaction, request: NewPolicyChange): Promise<string> {
  const { merchantId } = request
  const current = await readPolicy(tx, merchantId)
  const wanted = updatedPolicy(current.policy, request.update)
  if (request.update.multisig_config) await requireSigners(tx, merchantId, wanted.multisig_config)
  const changes = diffPolicies(current.policy, wanted)
  if (changes.length === 0) {
    throw new KeyturnError(
      'VALIDATION_FAILED',
      'The policy already has these values. Change at least one field',
      {
        details: { in: 'body', fields: [] },
      },
    )
  }
  const id = newId('pol')
  const now = Date.now()
  await insertControlChange(tx, {
    id,
    actor: request.actor,
    coolDownMs: request.coolDownMs,
    intent: {
      version: 1,
      kind: 'policy',
      merchant: merchantId,
      change: id,
      base_version: current.version,
      changes,
      cool_down_seconds: Math.ceil(request.coolDownMs / 1_000),
      initiator: request.initiator,
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + request.expiryMs).toISOString(),
    },
  })
  await appendControlChangeEvent(tx, { id, merchant_id: merchantId, kind: 'policy' }, null)
  return id
}

/** Requires that each signer is the merchant's approver with that key, and that enough different people can sign. */
async function requireSigners(tx: Transaction, merchantId: string, config: MultisigConfig): Promise<void> {
  const known = await tx<{ id: string; person_id: string; ed25519_public_key: Uint8Array }[]>`
    SELECT id, person_id, ed25519_public_key FROM approvers WHERE merchant_id = ${merchantId} AND revoked_at IS NULL`
  const persons = new Set<string>()
  config.signers.forEach((signer, index) => {
    const approver = known.find((each) => each.id === signer.id)
    if (!approver) throw invalid(`signers.${index}.id`, 'is not the id of one of your approvers')
    if (rawKey(signer.public_key) !== Buffer.from(approver.ed25519_public_key).toString('hex')) {
      throw invalid(`signers.${index}.public_key`, 'is not the key that is registered for this approver')
    }
    persons.add(approver.person_id)
  })
  const available =
    config.signers.length > 0 ? persons.size : new Set(known.map((each) => each.person_id)).size
  if (config.enabled && available < config.required_signatures) {
    throw invalid('required_signatures', `only ${available} different people could sign`)
  }
}

function invalid(field: string, reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `multisig_config.${field} ${reason}`, {
    details: { in: 'body', fields: [{ path: `multisig_config.${field}`, reason }] },
  })
}
