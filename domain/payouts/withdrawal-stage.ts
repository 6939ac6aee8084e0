/** The fine stages of a withdrawal, the only ways between them, and the seven public statuses they show as. */

export const WITHDRAWAL_STAGES = [
  'requested',
  'pending_review',
  'pending_approval',
  'approved',
  'building',
  'pending_signature',
  'signed',
  'broadcasting',
  'confirming',
  'confirmed',
  'rejected',
  'expired',
  'cancelled',
  'failed',
  'reverted',
] as const

export type WithdrawalStage = (typeof WITHDRAWAL_STAGES)[number]

/** The seven statuses of the withdrawal guide (seed 002, "Status Descriptions"). */
export type WithdrawalStatus =
  | 'pending'
  | 'processing'
  | 'broadcasting'
  | 'confirming'
  | 'confirmed'
  | 'failed'
  | 'cancelled'

/**
 * `requested` → `approved` is for movements between own wallets that need nobody.
 * Never backwards past `signed`: signed bytes are a bearer instrument, so from there on only the chain decides.
 * `building` → `approved` is the retry of an attempt that died unsigned, `building` → `pending_review` a destination that
 * came onto the sanctions list after it was asked for. `reverted` means an EVM transaction that was
 * mined and failed: its gas is spent, the amount is not. `pending_signature` → `cancelled` or `expired` only while no
 * signer has taken the request. `broadcasting` or `confirming` → `failed` only when a conflicting transaction that is
 * not ours (same nonce, same input) is final; → `cancelled` only when a transaction of ours that pays nobody is.
 */
export const WITHDRAWAL_TRANSITIONS: Readonly<Record<WithdrawalStage, readonly WithdrawalStage[]>> = {
  requested: ['pending_review', 'pending_approval', 'approved', 'failed', 'cancelled', 'expired'],
  pending_review: ['pending_approval', 'rejected', 'cancelled', 'expired'],
  pending_approval: ['approved', 'rejected', 'cancelled', 'expired'],
  approved: ['building', 'cancelled', 'expired', 'failed'],
  building: ['pending_signature', 'pending_review', 'approved', 'failed', 'expired', 'cancelled'],
  pending_signature: ['signed', 'building', 'failed', 'expired', 'cancelled'],
  signed: ['broadcasting'],
  broadcasting: ['confirming', 'failed', 'cancelled'],
  confirming: ['confirmed', 'reverted', 'broadcasting', 'failed', 'cancelled'],
  confirmed: [],
  rejected: [],
  expired: [],
  cancelled: [],
  failed: [],
  reverted: [],
}

/** The public status of each stage. */
export const WITHDRAWAL_STATUS: Readonly<Record<WithdrawalStage, WithdrawalStatus>> = {
  requested: 'pending',
  pending_review: 'pending',
  pending_approval: 'pending',
  approved: 'processing',
  building: 'processing',
  pending_signature: 'processing',
  signed: 'broadcasting',
  broadcasting: 'broadcasting',
  confirming: 'confirming',
  confirmed: 'confirmed',
  rejected: 'failed',
  expired: 'failed',
  cancelled: 'cancelled',
  failed: 'failed',
  reverted: 'failed',
}

/** Whether a withdrawal may go from one stage to the other. */
export function canWithdrawalMove(from: WithdrawalStage, to: WithdrawalStage): boolean {
  return WITHDRAWAL_TRANSITIONS[from].includes(to)
}

const SIGNED: Readonly<Record<WithdrawalStage, boolean>> = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: true,
  broadcasting: true,
  confirming: true,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
}

/**
 * Returns whether signed bytes exist that can still be mined. From here on nothing is given back on the platform's
 * word alone.
 */
export function isSigned(stage: WithdrawalStage): boolean {
  return SIGNED[stage]
}

/** Whether nothing will change any more. */
export function isWithdrawalFinal(stage: WithdrawalStage): boolean {
  return WITHDRAWAL_TRANSITIONS[stage].length === 0
}
