/** Names the kinds of exceptions, their statuses and severities, and how soon each kind must be resolved. */

/** Kinds of exceptions. */
export const EXCEPTION_KINDS = [
  'paid_not_confirmed',
  'stuck',
  'late',
  'late_confirmed',
  'duplicate',
  'wrong_amount',
  'wrong_coin',
  'order_mismatch',
  'drift',
  'foreign_spend',
  'unattributed',
  'reorged',
  'webhook_exhausted',
  'rejected_deposit',
  'dispute',
] as const
export type ExceptionKind = (typeof EXCEPTION_KINDS)[number]

export const EXCEPTION_SEVERITIES = ['low', 'medium', 'high', 'critical'] as const
export type ExceptionSeverity = (typeof EXCEPTION_SEVERITIES)[number]

export const EXCEPTION_STATUSES = ['open', 'in_progress', 'resolved'] as const
export type ExceptionStatus = (typeof EXCEPTION_STATUSES)[number]

/**
 * Transitions of an exception.
 *
 * ```
 * open ──► in_progress    assigned, or a resolution waits for approvals or for its withdrawal
 * in_progress ──► open    that resolution was rejected or failed, and no person owns the exception
 * open, in_progress ──► resolved
 * ```
 *
 * `resolved` is final. The same cause may come again, and then it has another exception.
 */
export const EXCEPTION_TRANSITIONS: Readonly<Record<ExceptionStatus, readonly ExceptionStatus[]>> = {
  open: ['in_progress', 'resolved'],
  in_progress: ['open', 'resolved'],
  resolved: [],
}

/** Statuses in which an exception still needs a person. Queries write the set with `members`. */
export const STANDING_EXCEPTIONS: Readonly<Record<ExceptionStatus, boolean>> = {
  open: true,
  in_progress: true,
  resolved: false,
}

/**
 * How an exception was resolved. `none`: by a person, without a journal. `cause_gone`: by the platform, because
 * the cause ended. The others moved money.
 */
export const EXCEPTION_RESOLUTIONS = [
  'none',
  'credit',
  're_attribute',
  'write_off',
  'refund',
  'cause_gone',
] as const
export type ExceptionResolution = (typeof EXCEPTION_RESOLUTIONS)[number]

interface Terms {
  readonly severity: ExceptionSeverity
  /** Hours from the raising until it must be resolved. `KEYTURN_EXCEPTION_DUE` overrides them. */
  readonly dueHours: number
}

/** Severity and due time of each kind, where the code that raises it names no other severity. */
export const EXCEPTION_TERMS: Readonly<Record<ExceptionKind, Terms>> = {
  // Another party signs with a key of ours, and may take the rest at any time.
  foreign_spend: { severity: 'critical', dueHours: 1 },
  // Books and chain disagree. Every other figure rests on them.
  drift: { severity: 'critical', dueHours: 2 },
  // Goods may have been handed over for money that is gone again.
  reorged: { severity: 'high', dueHours: 4 },
  // A payer or a payee waits for something that should have happened by now.
  paid_not_confirmed: { severity: 'high', dueHours: 4 },
  stuck: { severity: 'high', dueHours: 4 },
  // The books of a day are compared with the orders on the next one.
  order_mismatch: { severity: 'medium', dueHours: 24 },
  // The merchant's system lacks an event. It stays redeliverable.
  webhook_exhausted: { severity: 'medium', dueHours: 24 },
  // The value is credited and safe. A person decides about the order, and a payer expects an answer in two days.
  late: { severity: 'medium', dueHours: 48 },
  duplicate: { severity: 'medium', dueHours: 48 },
  wrong_amount: { severity: 'medium', dueHours: 48 },
  wrong_coin: { severity: 'medium', dueHours: 48 },
  // The value is held or belongs to the merchant's own account, and an inquiry takes days.
  dispute: { severity: 'high', dueHours: 72 },
  rejected_deposit: { severity: 'medium', dueHours: 72 },
  unattributed: { severity: 'medium', dueHours: 72 },
  // Everything went well, but later than agreed.
  late_confirmed: { severity: 'low', dueHours: 72 },
}

/** Object that an exception or a difference concerns. */
export interface ExceptionSubject {
  /** Type of the object, such as `payment`. */
  readonly type: string
  readonly id: string
}

/** Types of objects by the prefix of their ids. */
const SUBJECT_TYPES: Readonly<Record<string, string>> = {
  pay: 'payment',
  dep: 'deposit',
  withdrawal: 'withdrawal',
  batch: 'batch',
  part: 'batch_part',
  mov: 'movement',
  fil: 'nonce_fill',
  addr: 'address',
  acc: 'key_account',
  whd: 'webhook_delivery',
  whe: 'webhook_endpoint',
  evt: 'event',
  wsc: 'withdrawal_schedule',
  fir: 'schedule_firing',
  pol: 'policy_change',
  wla: 'whitelist_entry',
  rel: 'deposit_release',
  exp: 'export',
}

/** Returns an id as a subject, whose type follows from its prefix. `object` for an unknown one. */
export function subjectOf(id: string): ExceptionSubject {
  return { type: SUBJECT_TYPES[id.slice(0, id.indexOf('_'))] ?? 'object', id }
}
