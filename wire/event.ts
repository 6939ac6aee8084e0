/** Events: the envelope of webhooks and of `GET /events`, and the data of each type. */

import { z } from 'zod'
import { EXCEPTION_SEVERITIES } from '../domain/books/exception.js'
import { DISABLED_REASONS, FAILING_REASONS } from '../domain/events/endpoint-status.js'
import { EVENT_TYPES, type EventType } from '../domain/events/event.js'
import { SCHEMA_VERSIONS } from '../domain/events/schema-version.js'
import { Batch, BatchItem } from './batch.js'
import { ControlChangeState } from './control-change.js'
import { Deposit } from './deposit.js'
import { Movement } from './movement.js'
import { Payment } from './payment.js'
import { PolicyChange } from './policy.js'
import { Transfer } from './transfer.js'
import { WhitelistEntry } from './whitelist.js'
import { wholeNumber } from './whole-number.js'
import { Withdrawal } from './withdrawal.js'

/** The body of a webhook and an entry of `GET /events`: sealed once, then frozen bytes. */
export const EventEnvelope = z
  .object({
    id: z.string().meta({ example: 'evt_0193…' }),
    event: z.enum(EVENT_TYPES),
    timestamp: z.iso.datetime().meta({ description: 'When the change happened.' }),
    sequence: z.int().meta({ description: 'Counts the events of a merchant from 1, without a gap.' }),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event', description: 'Something that happened to an object of the merchant.' })
export type EventEnvelope = z.infer<typeof EventEnvelope>

const sequence = z
  .string()
  .regex(/^\d{1,18}$/, 'is a sequence: digits')
  .optional()

/** The query of `GET /events`. */
export const EventRange = z.strictObject({
  after: sequence.meta({ description: 'The last sequence that you have. 0: from the beginning.' }),
  cursor: sequence.meta({ description: 'The same, as `next_cursor` gives it.' }),
  limit: wholeNumber(1, 100).default(20),
})

/** `balance.updated`: what a step of a deposit moved at its address, or a transfer in the account of a party. */
export const BalanceUpdated = z
  .object({
    address_id: z.string().nullable().meta({ description: '`null` for a transfer, which no address has.' }),
    address: z.string().nullable(),
    label: z.string().nullable(),
    user_reference: z.string().nullable(),
    network: z.string(),
    coin: z.string(),
    funds: z
      .array(
        z.object({
          type: z.enum(['AVAILABLE', 'BLOCKCHAIN', 'RESERVED']),
          balance: z.string(),
          delta: z.string(),
        }),
      )
      .readonly(),
    deposit_id: z.string().nullable(),
    transfer_id: z.string().optional().meta({ description: 'For a transfer alone.' }),
  })
  .meta({
    id: 'BalanceUpdated',
    description: 'Balances of an address after a step of a deposit, or of a party of a transfer.',
  })
export type BalanceUpdated = z.infer<typeof BalanceUpdated>

/** `payment.status_changed`. */
export const PaymentStatusChanged = Payment.extend({
  previous_status: Payment.shape.status.nullable().meta({ description: '`null` for a new payment.' }),
  previous_flags: Payment.shape.flags,
}).meta({ id: 'PaymentStatusChanged', description: 'A payment, and its status and flags before the change.' })
export type PaymentStatusChanged = z.infer<typeof PaymentStatusChanged>

/** `withdrawal.status_changed`. */
export const WithdrawalStatusChanged = Withdrawal.extend({
  previous_status: Withdrawal.shape.status.nullable().meta({ description: '`null` for a new withdrawal.' }),
}).meta({ id: 'WithdrawalStatusChanged', description: 'A withdrawal, and its status before the change.' })
export type WithdrawalStatusChanged = z.infer<typeof WithdrawalStatusChanged>

/** `withdrawal.transaction_replaced`. */
export const TransactionReplaced = Withdrawal.extend({
  previous_transaction_hash: z.string().nullable(),
}).meta({ id: 'TransactionReplaced', description: 'A withdrawal whose transaction is another one now.' })
export type TransactionReplaced = z.infer<typeof TransactionReplaced>

/** `batch.status_changed`: the batch, and the items whose status changed. No items where all changed with the batch. */
export const BatchStatusChanged = Batch.pick({
  id: true,
  status: true,
  stage: true,
  network: true,
  coin: true,
  amount: true,
  item_count: true,
  counts: true,
  user_reference: true,
  external_id: true,
  failure: true,
  updated_at: true,
})
  .extend({
    previous_status: Batch.shape.status
      .nullable()
      .meta({ description: 'Same as `status` when only items changed. `null` for a new batch.' }),
    items: z.array(BatchItem).readonly(),
  })
  .meta({ id: 'BatchStatusChanged', description: 'A batch, and the items whose status changed.' })
export type BatchStatusChanged = z.infer<typeof BatchStatusChanged>

/** `movement.status_changed`. */
export const MovementStatusChanged = Movement.extend({
  previous_status: Movement.shape.status.nullable().meta({ description: '`null` for a new movement.' }),
}).meta({ id: 'MovementStatusChanged', description: 'A movement, and its status before the change.' })
export type MovementStatusChanged = z.infer<typeof MovementStatusChanged>

/** `policy.status_changed`. */
export const PolicyStatusChanged = PolicyChange.extend({
  status: ControlChangeState.meta({ description: 'Same as `state`.' }),
  previous_status: ControlChangeState.nullable().meta({ description: '`null` for a new change.' }),
}).meta({ id: 'PolicyStatusChanged', description: 'A change of the policy, and its state before.' })
export type PolicyStatusChanged = z.infer<typeof PolicyStatusChanged>

/** `whitelist.status_changed`. */
export const WhitelistStatusChanged = WhitelistEntry.extend({
  previous_status: WhitelistEntry.shape.status.nullable().meta({ description: '`null` for a new entry.' }),
}).meta({ id: 'WhitelistStatusChanged', description: 'A whitelist entry, and its status before the change.' })
export type WhitelistStatusChanged = z.infer<typeof WhitelistStatusChanged>

/** `exception.raised`. Further fields are facts, which depend on the kind. */
export const ExceptionRaised = z
  .looseObject({
    id: z.string().meta({ example: 'exc_0193…' }),
    kind: z.string().meta({
      example: 'reorged',
      description: 'Kind of the exception. Of a notice, which is not in the queue, its own name.',
    }),
    detail: z.string().meta({
      example: 'deposit.reverted_after_spend',
      description: 'Finer word for what happened. `kind` in the versions before 2026-11-29.',
    }),
    severity: z.enum(EXCEPTION_SEVERITIES),
    subject: z.string().meta({ description: 'Id of the object that the exception concerns.' }),
    in_queue: z.boolean().meta({
      description: 'Whether `GET /exceptions/{id}` has it. False for a notice, such as a large withdrawal.',
    }),
  })
  .meta({ id: 'ExceptionRaised', description: 'Something that a person must examine.' })
export type ExceptionRaised = z.infer<typeof ExceptionRaised>

/** `signer.offline`. */
export const SignerOffline = z
  .object({ id: z.string(), name: z.string(), last_seen_at: z.iso.datetime() })
  .meta({ id: 'SignerOffline', description: 'A signer that stopped requesting work.' })
export type SignerOffline = z.infer<typeof SignerOffline>

/** `signer.online`. */
export const SignerOnline = z
  .object({ id: z.string(), name: z.string() })
  .meta({ id: 'SignerOnline', description: 'A signer that requests work again.' })
export type SignerOnline = z.infer<typeof SignerOnline>

/** `wallet.low_balance`. */
export const WalletLowBalance = z
  .object({
    wallet_id: z.string(),
    kind: z.enum(['master', 'hot', 'gas']),
    network: z.string(),
    coin: z.string(),
    address: z.string(),
    label: z.string().nullable(),
    balance: z.string(),
    threshold: z.string(),
  })
  .meta({ id: 'WalletLowBalance', description: 'A wallet whose balance fell below its threshold.' })
export type WalletLowBalance = z.infer<typeof WalletLowBalance>

/** `webhook.test`. */
export const WebhookTested = z
  .object({
    endpoint_id: z.string(),
    message: z.string(),
    schema_version: z.enum(SCHEMA_VERSIONS).meta({ description: 'Version of this event. Since 2026-11-28.' }),
  })
  .meta({ id: 'WebhookTested', description: 'A test of one endpoint.' })
export type WebhookTested = z.infer<typeof WebhookTested>

/** `webhook_endpoint.failing`. */
export const WebhookEndpointFailing = z
  .object({
    endpoint_id: z.string(),
    reason: z.enum(FAILING_REASONS).meta({
      description:
        '`gone`: it answered 410 and is disabled now. `circuit_open`: its deliveries fail in a row.',
    }),
  })
  .meta({
    id: 'WebhookEndpointFailing',
    description: 'An endpoint that fails. Your other endpoints receive it.',
  })
export type WebhookEndpointFailing = z.infer<typeof WebhookEndpointFailing>

/** `webhook_endpoint.disabled`. */
export const WebhookEndpointDisabled = z
  .object({
    endpoint_id: z.string(),
    reason: z
      .enum(DISABLED_REASONS)
      .meta({ description: '`gone`: it answered 410. `requested`: through the API.' }),
  })
  .meta({ id: 'WebhookEndpointDisabled', description: 'An endpoint whose deliveries are held from now on.' })
export type WebhookEndpointDisabled = z.infer<typeof WebhookEndpointDisabled>

/** `webhook_endpoint.enabled`. */
export const WebhookEndpointEnabled = z
  .object({ endpoint_id: z.string() })
  .meta({ id: 'WebhookEndpointEnabled', description: 'An endpoint that was disabled and is active again.' })
export type WebhookEndpointEnabled = z.infer<typeof WebhookEndpointEnabled>

/** The schema of `data` for each type of event. */
export const EVENT_DATA = {
  'payment.status_changed': PaymentStatusChanged,
  'deposit.status_changed': Deposit,
  'balance.updated': BalanceUpdated,
  'withdrawal.status_changed': WithdrawalStatusChanged,
  'withdrawal.transaction_replaced': TransactionReplaced,
  'batch.status_changed': BatchStatusChanged,
  'exception.raised': ExceptionRaised,
  'webhook.test': WebhookTested,
  'webhook_endpoint.failing': WebhookEndpointFailing,
  'webhook_endpoint.disabled': WebhookEndpointDisabled,
  'webhook_endpoint.enabled': WebhookEndpointEnabled,
  'signer.offline': SignerOffline,
  'signer.online': SignerOnline,
  'wallet.low_balance': WalletLowBalance,
  'movement.status_changed': MovementStatusChanged,
  'transfer.created': Transfer,
  'policy.status_changed': PolicyStatusChanged,
  'whitelist.status_changed': WhitelistStatusChanged,
} as const satisfies Record<EventType, z.ZodType>

/** `data` by type of event: `EventData['deposit.status_changed']`. */
export type EventData = { [Type in EventType]: z.infer<(typeof EVENT_DATA)[Type]> }

/** An event with the data of its type. A later API may send further types, and further fields. */
export type MerchantEvent = {
  [Type in EventType]: Omit<EventEnvelope, 'event' | 'data'> & {
    readonly event: Type
    readonly data: EventData[Type]
  }
}[EventType]
