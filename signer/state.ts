/** Defines the knowledge on which a decision depends besides the request. */

import type { SignerStop } from '../domain/signing/signer-protocol.js'
import type { ApprovalVerifier } from './approval-verifier.js'
import type { Journal } from './journal/journal.js'
import type { Witness } from './journal/witness.js'
import type { Keyring } from './keys/keyring.js'
import type { Policy } from './policy/policy.js'

/** The signer's own knowledge. Nothing in it comes from the platform. */
export interface SignerState {
  /** Id of this signer, from enrolment. Intents name the signer that shall pay. */
  readonly signerId: string
  /**
   * Policy in force. `null` while `policy.json` cannot be read or is not sealed, and then nothing is signed.
   */
  readonly policy: Policy | null
  readonly keyring: Keyring
  readonly journal: Journal
  /** Witness that gets the journal's position before an answer leaves. */
  readonly witness: Witness
  readonly approvals: ApprovalVerifier
  /** Returns milliseconds since the epoch. */
  readonly now: () => number
  /** Returns whether the kill switch is on. */
  readonly paused: () => boolean
  /** Returns whether the journal lacks an entry that the platform or the witness saw. */
  readonly locked: () => boolean
}

/**
 * Returns the reason why the signer as a whole is stopped, so that it claims and answers nothing. `null`
 * while it works.
 */
export function stopOf(state: SignerState): SignerStop | null {
  if (state.paused()) return 'paused'
  if (state.locked()) return 'journal_stale'
  return state.policy === null ? 'policy_unreadable' : null
}
