/** Checks the exports of the audit log and of the events. */

import { AuditChainVerifier, type AuditRecord } from '../../domain/operations/audit.js'
import type { ClosedPeriod } from './check-period.js'
import type { Findings } from './findings.js'
import { readLines } from './read-lines.js'

/** Checks the chain of hashes, and that the close of the period stands in it with the same hash. */
export async function checkAuditLog(path: string, period: ClosedPeriod, findings: Findings): Promise<void> {
  const chain = new AuditChainVerifier()
  /** Line of each entry, to name a broken one. */
  let broken: number | null = null
  let closed: string | null = null
  for await (const { line, value } of readLines(path)) {
    if (value) chain.add(value as unknown as AuditRecord, String(value.hash))
    if (broken === null && (!value || !chain.result().valid)) broken = line
    if (value?.action === 'period.closed' && value.subject === period.period)
      closed = String((value.data as Record<string, unknown> | undefined)?.hash)
  }
  if (broken !== null) {
    findings.fault('audit log', `line ${broken} does not fit to the hashes before it`)
    return
  }
  const { entries, head_hash } = chain.result()
  findings.holds('audit log', `${entries} entries hold; the head is ${head_hash}`)
  if (closed !== null && closed !== period.hash)
    findings.fault('audit log', `it says that ${period.period} was closed with the hash ${closed}`)
  if (closed === null) findings.unchecked('audit log', `no entry says that ${period.period} was closed`)
}

/**
 * Checks that no event is missing, and that each deposit which was reported as credited is in the ledger.
 *
 * @param end - End of the period, up to which reports are compared with the ledger.
 */
export async function checkEvents(
  path: string,
  end: string,
  credited: ReadonlySet<string> | null,
  findings: Findings,
): Promise<void> {
  let sequence = 0
  let lines = 0
  /** Deposits by whether the last event about them says that they are credited. */
  const reported = new Map<string, { readonly line: number; readonly success: boolean }>()
  for await (const { line, value } of readLines(path)) {
    lines += 1
    sequence += 1
    if (value?.sequence !== sequence) {
      findings.fault(
        'events',
        `line ${line} has the sequence ${String(value?.sequence)}, and should have ${sequence}`,
      )
      sequence = Number(value?.sequence)
    }
    const data = value?.data as { id?: unknown; status?: unknown } | undefined
    if (value?.event === 'deposit.status_changed' && data && String(value.timestamp) < end)
      reported.set(String(data.id), { line, success: data.status === 'success' })
  }
  if (credited !== null) {
    for (const [id, { line, success }] of reported)
      if (success && !credited.has(id))
        findings.fault(
          'events',
          `line ${line} says that ${id} was credited, and the ledger has no such entry`,
        )
  }
  if (findings.faults('events') === 0)
    findings.holds('events', `${lines} events without a gap; each credited deposit is in the ledger`)
}
