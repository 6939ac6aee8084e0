/** The files in a signer's home. */

import { join } from 'node:path'

/** Paths of everything that a signer keeps; docs/signer-protocol.md says what each is. */
export interface Home {
  readonly directory: string
  /** Seed and identity, sealed. */
  readonly keys: string
  /** What enrolment agreed on; nothing secret. */
  readonly signer: string
  readonly policy: string
  /** The seal of the policy, with the copy that was sealed. */
  readonly seal: string
  readonly journal: string
  /** The kill switch: while it exists nothing is signed. */
  readonly paused: string
  /** Exists while the journal is not the one that the platform last saw. */
  readonly locked: string
  /** When the platform was last heard. */
  readonly contact: string
  /** Which process uses this home. */
  readonly process: string
}

/** Names the files in a directory. */
export function homeAt(directory: string): Home {
  return {
    directory,
    keys: join(directory, 'keys.json'),
    signer: join(directory, 'signer.json'),
    policy: join(directory, 'policy.json'),
    seal: join(directory, 'policy.seal'),
    journal: join(directory, 'journal.jsonl'),
    paused: join(directory, 'PAUSED'),
    locked: join(directory, 'LOCKED'),
    contact: join(directory, 'contact.json'),
    process: join(directory, 'process.json'),
  }
}
