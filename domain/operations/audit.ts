/**
 * Computes the hash chain of the audit log, for the sealer, `GET /audit-log/verify` and the offline verifier.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { canonicalJson } from '../canonical-json.js'

/** Previous hash of a merchant's first entry. */
export const AUDIT_GENESIS = '0'.repeat(64)

/** Entry of the audit log, as it is listed and exported. */
export interface AuditRecord {
  /** Number of the entry, without a gap in each merchant, from 1. */
  readonly sequence: number
  /** Time, ISO 8601 UTC with milliseconds. */
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * Returns the lower-case hex SHA-256 of `"keyturn-audit-v1\n"`, the previous hash, a line feed and the
 * entry's canonical JSON.
 */
export function auditHash(
  previous: string,
  { sequence, at, actor, action, subject, data }: AuditRecord,
): string {
  const content = canonicalJson({ sequence, at, actor, action, subject, data })
  return bytesToHex(sha256(utf8ToBytes(`keyturn-audit-v1\n${previous}\n${content}`)))
}

/** Outcome of a verification. `broken_at` is the sequence of the first entry that does not fit. */
export interface AuditVerification {
  readonly valid: boolean
  readonly entries: number
  readonly head_hash: string
  readonly broken_at: number | null
}

/** Checks entries one after the other. Feed them in order, then read `result`. */
export class AuditChainVerifier {
  #previous = AUDIT_GENESIS
  #entries = 0
  #brokenAt: number | null = null

  /** Takes the next entry and the hash recorded with it. */
  add(record: AuditRecord, hash: string): void {
    if (this.#brokenAt !== null) return
    if (record.sequence !== this.#entries + 1 || auditHash(this.#previous, record) !== hash) {
      this.#brokenAt = this.#entries + 1
      return
    }
    this.#previous = hash
    this.#entries += 1
  }

  result(): AuditVerification {
    return {
      valid: this.#brokenAt === null,
      entries: this.#entries,
      head_hash: this.#previous,
      broken_at: this.#brokenAt,
    }
  }
}
