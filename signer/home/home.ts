/** Names the files in a signer's home. */

import { join } from 'node:path'

/** Paths of all files of a signer. docs/signer-protocol.md describes each. */
export interface Home {
  readonly directory: string
  /** Sealed seed and identity. */
  readonly keys: string
  /** Result of the enrolment. It holds no secret. */
  readonly signer: string
  readonly policy: string
  /** The seal of the policy, with the copy that was sealed. */
  readonly seal: string
  readonly journal: string
  /** Kill switch. While the file exists, nothing is signed. */
  readonly paused: string
  /** Lock. The file exists while the journal lacks an entry that the platform or the witness saw. */
  readonly locked: string
  /** Time at which the platform last answered. */
  readonly contact: string
  /** Mark of the process that uses this home. */
  readonly process: string
}

/** Returns the paths of the files in a directory. */
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
