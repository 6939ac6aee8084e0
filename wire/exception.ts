/** Exceptions: what does not agree or did not go as agreed, until a person resolves it or its cause ends. */

import { z } from 'zod'
import {
  EXCEPTION_KINDS,
  EXCEPTION_RESOLUTIONS,
  EXCEPTION_SEVERITIES,
  EXCEPTION_STATUSES,
} from '../domain/books/exception.js'
import { AwaitedApproval } from './deposit.js'
import { pagingFields } from './paging.js'
import { PaymentHistoryEntry } from './payment.js'
import { WebhookDelivery } from './webhook-delivery.js'
import { Amount } from './withdrawal.js'

export const ExceptionKind = z
  .enum(EXCEPTION_KINDS)
  .meta({ id: 'ExceptionKind', description: 'What happened. docs/guides/exceptions.md explains each.' })
export type ExceptionKind = z.infer<typeof ExceptionKind>

export const ExceptionStatus = z.enum(EXCEPTION_STATUSES).meta({
  id: 'ExceptionStatus',
  description: '`in_progress`: a person owns it, or its resolution is under way. `resolved` is final.',
})
export type ExceptionStatus = z.infer<typeof ExceptionStatus>

/** What an exception concerns. */
const subject = z.object({
  type: z.string().meta({ example: 'payment' }),
  id: z.string().meta({ example: 'pay_0193…' }),
})

export const ExceptionComment = z
  .object({
    text: z.string(),
    by: z.string().meta({ description: 'Id of the person. Id of the API key where it has no person.' }),
    at: z.iso.datetime(),
  })
  .meta({ id: 'ExceptionComment', description: 'What a person wrote about an exception.' })
export type ExceptionComment = z.infer<typeof ExceptionComment>

export const Exception = z
  .object({
    id: z.string().meta({ example: 'exc_0193…' }),
    kind: ExceptionKind,
    detail: z.string().meta({
      example: 'deposit.reverted_after_spend',
      description: 'Finer word for what happened. The kind where there is none.',
    }),
    status: ExceptionStatus,
    severity: z.enum(EXCEPTION_SEVERITIES),
    reason: z.string().meta({ description: 'One line that says why.' }),
    subject,
    payment_id: z.string().nullable(),
    user_reference: z.string().nullable(),
    expected: z.string().nullable().meta({ description: 'What should be.' }),
    actual: z.string().nullable().meta({ description: 'What is.' }),
    owner: z.string().nullable().meta({ description: 'Id of the person who takes care of it.' }),
    due_at: z.iso.datetime(),
    overdue: z.boolean().meta({ description: 'Whether it still stands after `due_at`.' }),
    age_seconds: z.int().meta({ description: 'From its raising until now, or until it was resolved.' }),
    evidence: z.record(z.string(), z.unknown()).meta({ description: 'Facts that prove it.' }),
    comments: z.array(ExceptionComment).readonly().meta({ description: 'Oldest first.' }),
    resolution: z.enum(EXCEPTION_RESOLUTIONS).nullable().meta({
      description:
        '`none`: by a person, without a journal. `cause_gone`: the platform closed it, because the cause ended. `null` until resolved.',
    }),
    root_cause: z.string().nullable(),
    holds: z
      .array(z.object({ network: z.string(), coin: z.string(), amount: z.string() }))
      .readonly()
      .meta({ description: 'What a dispute holds in `reserved` now, in whole coins.' }),
    approval: AwaitedApproval.nullable().meta({
      description: 'Where the approvals of a proposed resolution are sent. `null` if none waits.',
    }),
    withdrawal_id: z
      .string()
      .nullable()
      .meta({ description: 'Withdrawal of a refund. The exception is resolved when it is confirmed.' }),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    resolved_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Exception', description: 'Something that does not agree or did not go as agreed.' })
export type Exception = z.infer<typeof Exception>

export const ExceptionWithHistory = Exception.extend({
  history: z
    .array(z.object({ status: ExceptionStatus, at: z.iso.datetime(), actor: z.string(), cause: z.string() }))
    .readonly(),
  payment_history: z
    .array(PaymentHistoryEntry)
    .readonly()
    .meta({ description: 'Every state of the payment. Empty without one.' }),
  webhook_deliveries: z.array(WebhookDelivery).readonly().meta({
    description: 'The newest deliveries of events about the payment, or else about the subject.',
  }),
}).meta({
  id: 'ExceptionWithHistory',
  description: 'An exception with its history, that of its payment, and the webhooks about it.',
})
export type ExceptionWithHistory = z.infer<typeof ExceptionWithHistory>

/** The query of `GET /exceptions`. */
export const ExceptionFilter = z.strictObject({
  ...pagingFields,
  kind: ExceptionKind.optional(),
  status: ExceptionStatus.optional(),
  owner: z.string().max(255).optional(),
  overdue: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: '`true`: those that stand and are due. `false`: all others.' }),
  payment_id: z.string().max(255).optional(),
  user_reference: z.string().max(255).optional(),
})
export type ExceptionFilter = z.input<typeof ExceptionFilter>

const note = z.string().min(1).max(2_000)

/** The body of `POST /exceptions`. */
export const NewDispute = z.strictObject({
  kind: z.literal('dispute'),
  subject: z.strictObject({
    type: z.enum(['payment', 'deposit', 'user']),
    id: z.string().min(1).max(255).meta({ description: 'Of a user: the user_reference.' }),
  }),
  reason: z.string().min(1).max(1_000),
})
export type NewDispute = z.infer<typeof NewDispute>

/** The body of `/assign`. */
export const ExceptionAssignment = z.strictObject({
  owner: z.string().min(1).max(255).meta({ description: 'Id of a person of the merchant.' }),
})
export type ExceptionAssignment = z.infer<typeof ExceptionAssignment>

/** The body of `/comments`. */
export const NewExceptionComment = z.strictObject({ text: note })
export type NewExceptionComment = z.infer<typeof NewExceptionComment>

const party = z.string().min(1).max(255).nullable()
const asset = { network: z.string().min(1).max(31), coin: z.string().min(1).max(31), amount: Amount }

export const MoveJournal = z.strictObject({
  from_user_reference: party.meta({
    description:
      "`null`: the merchant's own account or, for a credit of coins that came without a transaction, no one.",
  }),
  to_user_reference: party.meta({ description: "`null`: the merchant's own account." }),
  ...asset,
})
export type MoveJournal = z.infer<typeof MoveJournal>

export const WriteOffJournal = z.strictObject({
  address_id: z.string().min(1).max(255).meta({ description: 'Address whose coins are not there.' }),
  ...asset,
})
export type WriteOffJournal = z.infer<typeof WriteOffJournal>

const resolving = { comment: note, root_cause: note.optional() }

/** The body of `/resolve`. */
export const ExceptionDecision = z
  .discriminatedUnion('resolution', [
    z.strictObject({ resolution: z.literal('none'), ...resolving }),
    z.strictObject({ resolution: z.literal('credit'), journal: MoveJournal, ...resolving }),
    z.strictObject({ resolution: z.literal('re_attribute'), journal: MoveJournal, ...resolving }),
    z.strictObject({ resolution: z.literal('write_off'), journal: WriteOffJournal, ...resolving }),
    z.strictObject({
      resolution: z.literal('refund'),
      to_address: z.string().min(1).max(255).optional(),
      journal: z.strictObject({ to_address: z.string().min(1).max(255) }).optional(),
      ...resolving,
    }),
  ])
  .meta({ id: 'ExceptionDecision', description: 'How an exception is resolved.' })
export type ExceptionDecision = z.input<typeof ExceptionDecision>

const ids = z.array(z.string().min(1).max(255)).min(1).max(500)

/** The body of `POST /exceptions/bulk`. */
export const ExceptionBulk = z
  .discriminatedUnion('action', [
    z.strictObject({ ids, action: z.literal('assign'), ...ExceptionAssignment.shape }),
    z.strictObject({ ids, action: z.literal('comment'), ...NewExceptionComment.shape }),
    z.strictObject({ ids, action: z.literal('resolve'), resolution: z.literal('none'), ...resolving }),
  ])
  .meta({ id: 'ExceptionBulk', description: 'The same act for many exceptions: all or nothing.' })
export type ExceptionBulk = z.input<typeof ExceptionBulk>

export const ExceptionBulkDone = z
  .object({ action: z.string(), changed: z.int(), exceptions: z.array(Exception).readonly() })
  .meta({ id: 'ExceptionBulkDone', description: 'The exceptions after the act.' })
export type ExceptionBulkDone = z.infer<typeof ExceptionBulkDone>
/** The query of `POST /exceptions/upload`. */
export const ExceptionUploadQuery = z.strictObject({
  dry_run: z.enum(['true', 'false']).default('false'),
})
export type ExceptionUploadQuery = z.input<typeof ExceptionUploadQuery>

export const ExceptionUpload = z
  .object({
    dry_run: z.boolean(),
    changes: z.int().meta({ description: 'Lines that change something.' }),
    unchanged: z.int(),
    rejected: z
      .array(
        z.object({
          line: z.int().meta({ description: 'Line in the file, from 1, the head included.' }),
          reason: z.string(),
        }),
      )
      .readonly()
      .meta({ description: 'The first 1,000 of them.' }),
    rejected_count: z.int().min(0).meta({ description: 'All lines that were rejected.' }),
  })
  .meta({ id: 'ExceptionUpload', description: 'What an edited export changes, or would change.' })
export type ExceptionUpload = z.infer<typeof ExceptionUpload>
