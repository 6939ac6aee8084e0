/** The audit log: every act that mattered, in a chain of hashes. */

import { z } from 'zod'
import { pagingFields } from './paging.js'

export const AuditEntry = z
  .object({
    sequence: z.int().meta({ description: "Counts the merchant's entries from 1, without a gap." }),
    at: z.iso.datetime(),
    actor: z.string(),
    action: z.string(),
    subject: z.string(),
    data: z.record(z.string(), z.unknown()),
    previous_hash: z.string(),
    hash: z.string().meta({
      description:
        'SHA-256 of "keyturn-audit-v1\\n", previous_hash, "\\n" and the RFC 8785 JSON of {sequence, at, actor, action, subject, data}.',
    }),
  })
  .meta({ id: 'AuditEntry', description: 'One act, chained to the act before it.' })
export type AuditEntry = z.infer<typeof AuditEntry>

/** The query of `GET /audit-log`. */
export const AuditFilter = z.strictObject({
  ...pagingFields,
  actor: z.string().optional(),
  action: z.string().optional(),
  subject: z.string().optional(),
})
export type AuditFilter = z.input<typeof AuditFilter>

export const AuditVerification = z
  .object({
    valid: z.boolean(),
    entries: z.int(),
    head_hash: z.string(),
    broken_at: z
      .int()
      .nullable()
      .meta({ description: 'Sequence of the first entry that does not fit. `null` when all fit.' }),
  })
  .meta({ id: 'AuditVerification', description: 'Whether the chain of the audit log is whole.' })
export type AuditVerification = z.infer<typeof AuditVerification>
