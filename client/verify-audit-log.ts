/** Verifies an export of the audit log offline, without trust in the platform. */

import { AuditChainVerifier, type AuditRecord, type AuditVerification } from '../domain/operations/audit.js'

/** An entry as `GET /audit-log` and `GET /exports/audit` return it. */
export interface ExportedAuditEntry extends AuditRecord {
  readonly hash: string
}

/**
 * Recomputes the chain of a whole export, in any order.
 *
 * @param text - NDJSON, a JSON array, or answers of `GET /audit-log` (`{data: […]}`).
 * @param expectedHead - The head's hash that you noted earlier or elsewhere. It reveals a log that was
 * rewritten.
 * @throws Error when the text is not such an export.
 */
export function verifyAuditLog(text: string, expectedHead?: string): AuditVerification {
  const entries = parseExport(text).sort((a, b) => a.sequence - b.sequence)
  const chain = new AuditChainVerifier()
  let headSeen = expectedHead === undefined
  for (const entry of entries) {
    chain.add(entry, entry.hash)
    if (entry.hash === expectedHead) headSeen = true
  }
  const result = chain.result()
  return headSeen ? result : { ...result, valid: false }
}

function parseExport(text: string): ExportedAuditEntry[] {
  const trimmed = text.trim()
  const whole = tryParse(trimmed)
  const parsed: unknown[] =
    whole === undefined
      ? trimmed.split('\n').flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line) as unknown]))
      : [whole]
  return parsed.flatMap(unwrap).map((entry) => {
    const { sequence, hash } = entry as Partial<ExportedAuditEntry>
    if (typeof sequence !== 'number' || typeof hash !== 'string') {
      throw new Error('This is not an export of the audit log: an entry has no sequence or hash')
    }
    return entry as ExportedAuditEntry
  })
}

function unwrap(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.flatMap(unwrap)
  const { data, sequence } = value as { data?: unknown; sequence?: unknown }
  return sequence === undefined && Array.isArray(data) ? data : [value]
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
