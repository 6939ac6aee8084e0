/** What a decision depends on besides the request. */

import type { ApprovalVerifier } from './approval-verifier.js'
import type { Journal } from './journal/journal.js'
import type { Keyring } from './keys/keyring.js'
import type { Policy } from './policy/policy.js'

/** The signer's own knowledge; nothing in it comes from the platform. */
export interface SignerState {
  /** Null while `policy.json` cannot be read: everything is refused. */
  readonly policy: Policy | null
  readonly keyring: Keyring
  readonly journal: Journal
  readonly approvals: ApprovalVerifier
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Whether the kill switch is on. */
  readonly paused: () => boolean
  /** Whether the journal is not the one that the platform last saw. */
  readonly locked: () => boolean
}
