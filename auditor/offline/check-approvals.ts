/**
 * Checks the signatures of the approvals in the export of the audit log against keys that the auditor has from the
 * approvers themselves, and that two of them approved exactly the books of the period and none rejected them.
 */

import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Approval, approvalMessage, QUORUM } from '../../domain/controls/approval.js'
import { intentHash, type PeriodCloseIntent } from '../../domain/controls/intent.js'
import type { ClosedPeriod } from './check-period.js'
import type { Findings } from './findings.js'
import { readLines } from './read-lines.js'
import { UnusableExport } from './unusable-export.js'

/** A key of a person. One person with two keys counts once. */
export interface PinnedApprover {
  readonly personId: string
  readonly key: KeyObject
}

interface SignedRejection {
  /** Line of the audit log. */
  readonly line: number
  readonly approverId: string
  readonly personId: string
}

interface SignedDecisions {
  readonly approved: ReadonlyMap<string, ReadonlySet<string>>
  readonly rejected: ReadonlyMap<string, readonly SignedRejection[]>
  /** Approvers of whom no key was given. */
  readonly unknown: ReadonlySet<string>
}

const CHECK = 'approvals'
/** DER prefix of an Ed25519 public key (RFC 8410), which the 32 raw bytes follow. */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')
/** Approvers without a key that are named. */
const MOST_NAMED = 20

/**
 * Reads a file with `approvers`, a list of {approver_id, person_id, public_key}: the raw Ed25519 key in base64. The
 * policy of a signer is such a file. @throws UnusableExport.
 */
export async function readApprovers(path: string): Promise<ReadonlyMap<string, PinnedApprover>> {
  const fail = (why: string) => new UnusableExport(`${path}: ${why}`)
  let file: { readonly approvers?: unknown }
  try {
    file = JSON.parse(await readFile(path, 'utf8')) as typeof file
  } catch {
    throw fail('this is no file of JSON')
  }
  if (!Array.isArray(file?.approvers)) throw fail('it has no list "approvers"')
  return new Map(
    file.approvers.map((each: Readonly<Record<string, unknown>> | null) => {
      const { approver_id: id, person_id: personId, public_key: text } = each ?? {}
      if (typeof id !== 'string' || typeof personId !== 'string' || typeof text !== 'string')
        throw fail('each approver needs approver_id, person_id and public_key')
      const raw = Buffer.from(text, 'base64')
      if (raw.length !== 32) throw fail(`the key of ${id} is no Ed25519 key in base64`)
      const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, raw]), format: 'der', type: 'spki' })
      return [id, { personId, key }] as const
    }),
  )
}

/** Checks every approval and rejection of the log. @param approvers - `null` where no file of keys was given. */
export async function checkApprovals(
  path: string,
  period: ClosedPeriod,
  approvers: ReadonlyMap<string, PinnedApprover> | null,
  findings: Findings,
): Promise<void> {
  if (approvers === null) {
    findings.note(CHECK, 'their signatures were not verified: give the keys with --approvers FILE')
    return
  }
  /** Requests to close the period, by their id. */
  const requests = new Map<string, { readonly intent?: PeriodCloseIntent; readonly line: number }>()
  /** Persons whose approval is signed, by the hash of what they approved. */
  const approved = new Map<string, Set<string>>()
  /** Signed rejections, by the hash of what was rejected. */
  const rejected = new Map<string, SignedRejection[]>()
  const unknown = new Set<string>()
  let closedBy: string | null = null
  let verified = 0
  for await (const { line, value } of readLines(path)) {
    const action = String(value?.action)
    const data = (value?.data ?? {}) as Readonly<Record<string, unknown>>
    if (action === 'period_close.change_requested')
      requests.set(String(value?.subject), { intent: data.intent as PeriodCloseIntent, line })
    if (action === 'period.closed' && value?.subject === period.period) closedBy = String(data.request)
    const given = /\.(approval|rejection)_given$/.exec(action)
    if (!given) continue
    const approval = { ...data, decision: given[1] === 'approval' ? 'approve' : 'reject' } as Approval
    const approver = approvers.get(approval.approver_id)
    if (!approver) unknown.add(approval.approver_id)
    else if (isSigned(approver.key, approval)) {
      verified += 1
      if (approval.decision === 'reject') {
        const rejections = rejected.get(approval.intent_hash) ?? []
        rejections.push({ line, approverId: approval.approver_id, personId: approver.personId })
        rejected.set(approval.intent_hash, rejections)
        continue
      }
      const persons = approved.get(approval.intent_hash) ?? new Set()
      approved.set(approval.intent_hash, persons.add(approver.personId))
    } else
      findings.fault(
        CHECK,
        `line ${line} of the audit log: the key of ${approval.approver_id} did not sign this decision about ${String(value?.subject)}`,
      )
  }
  const request = requests.get(closedBy ?? '')
  if (request) checkClose(request, period, { approved, rejected, unknown }, findings)
  else findings.unchecked(CHECK, `the audit log has no request to close ${period.period}`)
  if (unknown.size > 0) {
    const named = [...unknown].slice(0, MOST_NAMED).join(', ')
    findings.unchecked(CHECK, `the file of keys lacks ${named}${unknown.size > MOST_NAMED ? ', …' : ''}`)
  }
  if (findings.faults(CHECK) === 0)
    findings.holds(CHECK, `${verified} decisions are signed by their approvers`)
}

/** Checks that enough others than the one who asked approved what the period holds, and that none of them rejected it. */
function checkClose(
  { intent, line }: { readonly intent?: PeriodCloseIntent; readonly line: number },
  period: ClosedPeriod,
  { approved, rejected, unknown }: SignedDecisions,
  findings: Findings,
): void {
  if (intent?.period !== period.period || intent.hash !== period.hash) {
    findings.fault(
      CHECK,
      `line ${line} of the audit log: approvers were asked for ${intent?.period} with the hash ${intent?.hash}, and not for these books`,
    )
    return
  }
  const hash = intentHash(intent)
  // One rejection is final, wherever it stands in the log.
  for (const { line: at, approverId, personId } of rejected.get(hash) ?? []) {
    if (personId === intent.initiator) continue
    findings.fault(
      CHECK,
      `line ${at} of the audit log: ${approverId} rejected the close of ${period.period}, and it was closed`,
    )
  }
  const persons = new Set(approved.get(hash))
  persons.delete(intent.initiator)
  if (persons.size >= QUORUM) return
  const what = `${persons.size} of ${QUORUM} people who did not ask for it signed the close of ${period.period}`
  if (unknown.size > 0) findings.unchecked(CHECK, what)
  else findings.fault(CHECK, what)
}

function isSigned(key: KeyObject, approval: Approval): boolean {
  const signature = Buffer.from(String(approval.signature), 'base64')
  return verify(null, Buffer.from(approvalMessage(approval), 'utf8'), key, signature)
}
