/** Withdrawals: what leaves to an address outside. */

import { z } from 'zod'
import { WITHDRAWAL_STAGES, WITHDRAWAL_STATUSES } from '../domain/payouts/withdrawal-stage.js'
import { controlFields } from './approval.js'
import { Failure } from './failure.js'
import { pagingFields } from './paging.js'
import { Priority, RequestedPriority } from './priority.js'
import { windowFields } from './time.js'

/** The merchant's own data may be so large; it comes back as it was sent. */
const METADATA_BYTES = 16_384

/** An amount in whole coins, as callers write it; the API parses it with the coin's decimals. */
export const Amount = z.string().min(1).max(100).meta({ example: '100.50' })

/** The merchant's own data about a withdrawal. */
export const Metadata = z
  .record(z.string().max(255), z.unknown())
  .refine(
    (value) => JSON.stringify(value).length <= METADATA_BYTES,
    `at most ${METADATA_BYTES} bytes of JSON`,
  )

export const WithdrawalStatus = z
  .enum(WITHDRAWAL_STATUSES)
  .meta({ id: 'WithdrawalStatus', description: 'The public status of a payout.' })
export type WithdrawalStatus = z.infer<typeof WithdrawalStatus>

const feePayer = z.enum(['sender', 'recipient'])

/** One signed transaction, or one that is to be signed, for a payout. */
export const Attempt = z
  .object({
    number: z.int(),
    purpose: z
      .enum(['pay', 'cancel'])
      .meta({ description: '`cancel` marks a cancelling transaction, which has no recipient.' }),
    cause: z.enum(['first', 'speed_up', 'lagging', 'cancel']),
    priority: Priority,
    state: z.enum(['built', 'signed', 'broadcast', 'mined', 'final', 'replaced', 'abandoned']),
    transaction_hash: z.string().nullable().meta({ description: '`null` until signed.' }),
    max_fee: z.string().meta({ description: 'The most that it can cost, in whole `fee_coin`.' }),
    fee: z.string().nullable().meta({ description: 'What it cost. `null` until final.' }),
    created_at: z.string(),
    broadcast_at: z.string().nullable(),
  })
  .meta({
    id: 'Attempt',
    description: 'One transaction for a payout. At most one attempt of a payout is mined.',
  })
export type Attempt = z.infer<typeof Attempt>

/** Why a payout cannot move. */
export const Waiting = z.object({
  code: z.string().meta({ example: 'SETTLEMENT_PAUSED' }),
  message: z.string(),
  since: z.string(),
  reason: z.string().optional().meta({ description: 'Why a person paused settlement.' }),
})

export const Withdrawal = z
  .object({
    id: z.string().meta({ example: 'withdrawal_0193…' }),
    status: WithdrawalStatus,
    stage: z.enum(WITHDRAWAL_STAGES).meta({ description: 'The fine stage behind `status`.' }),
    network: z.string(),
    coin: z.string(),
    amount: Amount,
    fee: z.string().meta({ description: 'In whole `fee_coin`. The estimate until the fee is known.' }),
    fee_coin: z.string(),
    fee_limit: z.string().meta({ description: 'The most that the fee may be. Held until the fee is known.' }),
    fee_payer: feePayer,
    priority: Priority,
    to_address: z.string(),
    from_address: z.string().nullable(),
    user_reference: z.string().nullable(),
    external_id: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    ...controlFields,
    failure: Failure.nullable(),
    waiting: Waiting.nullable().meta({
      description: 'Why the payout cannot move at the moment. `null` while it moves.',
    }),
    speed_up: z
      .object({
        priority: Priority,
        max_fee: z.string().nullable().meta({ description: 'In whole `fee_coin`. `null`: the fee limit.' }),
        requested_by: z.string(),
        requested_at: z.string(),
      })
      .nullable()
      .meta({
        description: 'The replacement with a higher fee that was requested and is not at the signer yet.',
      }),
    cancellation: z
      .object({ requested_by: z.string(), requested_at: z.string(), reason: z.string() })
      .nullable()
      .meta({ description: 'Set while a cancelling transaction competes with the payout.' }),
    attempts: z
      .array(Attempt)
      .readonly()
      .meta({ description: 'Attempts, newest first. They exclude each other: at most one is mined.' }),
    transaction_hash: z.string().nullable().meta({
      description: 'Hash of the mined attempt; before that, of the attempt last accepted by a node.',
    }),
    investigation: z
      .object({ reason: z.string(), by: z.string(), at: z.string() })
      .nullable()
      .meta({ description: 'Set while a person investigates; no transaction is built or signed meanwhile.' }),
    screening: z
      .object({
        state: z.enum(['pending', 'approved', 'rejected', 'review']),
        reason: z.string().nullable().optional(),
        reference: z.string().nullable().optional(),
        at: z.string().optional(),
      })
      .nullable()
      .meta({
        description: 'Answer of the screening service about the destination. `null` without a service.',
      }),
    retry_of: z
      .string()
      .nullable()
      .meta({ description: 'Id of the failed withdrawal that this one repeats.' }),
    retried_by: z.string().nullable().meta({ description: 'Id of the withdrawal that repeats this one.' }),
    confirmations: z.int(),
    required_confirmations: z.int(),
    block_number: z.int().nullable().meta({ description: '`null` until mined.' }),
    history: z
      .array(
        z.object({ stage: z.enum(WITHDRAWAL_STAGES), status: z.string(), at: z.string(), cause: z.string() }),
      )
      .readonly(),
    estimated_confirmation_time: z.string(),
    expires_at: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    confirmed_at: z.string().nullable(),
  })
  .meta({ id: 'Withdrawal', description: "A merchant's request to pay an address outside." })
export type Withdrawal = z.infer<typeof Withdrawal>

/** The body of `POST /withdrawals`. */
export const NewWithdrawal = z.strictObject({
  network: z.string().min(1).max(31).meta({ example: 'ethereum' }),
  coin: z.string().min(1).max(31).meta({ example: 'usdt' }),
  amount: Amount,
  to_address: z.string().min(1).max(200).meta({ example: '0x742d35Cc6634C0532925a3b8D4C9db96590c6C87' }),
  from_address_id: z.string().min(1).max(255).optional(),
  priority: RequestedPriority,
  metadata: Metadata.default({}),
  user_reference: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: "User whose balance pays. Default: the merchant's own account." }),
  external_id: z
    .string()
    .min(1)
    .max(255)
    .refine(
      (text) => !/^wsc_[^:]*:/.test(text),
      'is of the form that firings of schedules have; choose another',
    )
    .optional()
    .meta({ description: "The merchant's own id. No other withdrawal of the merchant may ever have it." }),
  fee_payer: feePayer.default('sender'),
})
export type NewWithdrawal = z.input<typeof NewWithdrawal>

/** The query of `GET /withdrawals`. */
export const WithdrawalFilter = z.strictObject({
  ...pagingFields,
  status: WithdrawalStatus.optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
  user_reference: z.string().optional(),
  external_id: z.string().optional(),
  ...windowFields,
})
export type WithdrawalFilter = z.input<typeof WithdrawalFilter>

/** The body of `/speed-up`. */
export const SpeedUp = z.strictObject({
  priority: Priority.optional().meta({ description: 'Default: the next above that of the newest attempt.' }),
  max_fee: Amount.optional().meta({
    description: 'The most that the fee may be, in whole `fee_coin`. Default: the fee limit.',
  }),
})
export type SpeedUp = z.input<typeof SpeedUp>

/** The body of `/retry`. */
export const Retry = z.strictObject({ priority: Priority.optional() })
export type Retry = z.input<typeof Retry>
