/** What a decision depends on besides the request. */

import type { SignerStop } from '../domain/signing/signer-protocol.js'
import type { ApprovalVerifier } from './approval-verifier.js'
import type { Journal } from './journal/journal.js'
import type { Witness } from './journal/witness.js'
import type { Keyring } from './keys/keyring.js'
import type { Policy } from './policy/policy.js'

/** The signer's own knowledge; nothing in it comes from the platform. */
export interface SignerState {
  /** This signer's id, from enrolment: intents name the signer that shall pay. */
  readonly signerId: string
  /** Null while `policy.json` cannot be read: nothing is signed. */
  readonly policy: Policy | null
  readonly keyring: Keyring
  readonly journal: Journal
  /** Hears how far the journal has come before an answer leaves. */
  readonly witness: Witness
  readonly approvals: ApprovalVerifier
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Whether the kill switch is on. */
  readonly paused: () => boolean
  /** Whether the journal is not the one that the platform last saw. */
  readonly locked: () => boolean
}

/** What stops this signer as a whole at this moment: it claims nothing, and answers nothing, until that is over. */
export function stopOf(state: SignerState): SignerStop | null {
  if (state.paused()) return 'paused'
  if (state.locked()) return 'journal_stale'
  return state.policy === null ? 'policy_unreadable' : null
}
