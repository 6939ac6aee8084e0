/** The data of each type of event in each version. */

import { z } from 'zod'
import type { EventType } from '../domain/events/event.js'
import type { SchemaVersion } from '../domain/events/schema-version.js'
import { Deposit } from './deposit.js'
import {
  BalanceUpdated,
  EVENT_DATA,
  MovementStatusChanged,
  TransactionReplaced,
  WebhookTested,
  WithdrawalStatusChanged,
} from './event.js'
import { Waiting } from './withdrawal.js'

/** `deposit.status_changed` before 2026-11-28. */
export const Deposit20261101 = Deposit.omit({ decision: true }).meta({
  id: 'Deposit20261101',
  description: 'A transfer to an address of the merchant, in the version 2026-11-01.',
})

/** `balance.updated` before 2026-11-28. */
export const BalanceUpdated20261101 = BalanceUpdated.omit({ transfer_id: true })
  .extend({
    address_id: z.string().meta({ description: 'Empty for a balance without an address.' }),
    address: z.string().meta({ description: 'Empty for a balance without an address.' }),
  })
  .meta({
    id: 'BalanceUpdated20261101',
    description: 'The balances of an address after a step of a deposit, in the version 2026-11-01.',
  })

/** `webhook.test` before 2026-11-28. */
export const WebhookTested20261101 = WebhookTested.omit({ schema_version: true }).meta({
  id: 'WebhookTested20261101',
  description: 'A test of one endpoint, in the version 2026-11-01.',
})

/** `exception.raised` before 2026-11-29. */
export const ExceptionRaised20261128 = z
  .looseObject({
    id: z.string(),
    kind: z.string(),
    severity: z.enum(['info', 'warning', 'critical']),
    subject: z.string().meta({ description: 'Id of the object that the exception concerns.' }),
  })
  .meta({
    id: 'ExceptionRaised20261128',
    description: 'Something that a person must examine, in the version 2026-11-28.',
  })

const waiting = Waiting.omit({ reason: true }).nullable()

/** `withdrawal.status_changed` before 2026-11-29. */
export const WithdrawalStatusChanged20261128 = WithdrawalStatusChanged.extend({ waiting }).meta({
  id: 'WithdrawalStatusChanged20261128',
  description: 'A withdrawal, and its status before the change, in the version 2026-11-28.',
})

/** `withdrawal.transaction_replaced` before 2026-11-29. */
export const TransactionReplaced20261128 = TransactionReplaced.extend({ waiting }).meta({
  id: 'TransactionReplaced20261128',
  description: 'A withdrawal whose transaction is another one now, in the version 2026-11-28.',
})

/** `movement.status_changed` before 2026-11-29. */
export const MovementStatusChanged20261128 = MovementStatusChanged.extend({ waiting }).meta({
  id: 'MovementStatusChanged20261128',
  description: 'A movement, and its status before the change, in the version 2026-11-28.',
})

const EVENT_DATA_20261128 = {
  ...EVENT_DATA,
  'exception.raised': ExceptionRaised20261128,
  'withdrawal.status_changed': WithdrawalStatusChanged20261128,
  'withdrawal.transaction_replaced': TransactionReplaced20261128,
  'movement.status_changed': MovementStatusChanged20261128,
}

/** Schemas of `data` by version and type. A type that a version did not change has the schema of the next one. */
export const EVENT_DATA_IN: Readonly<Record<SchemaVersion, Readonly<Record<EventType, z.ZodType>>>> = {
  '2026-11-01': {
    ...EVENT_DATA_20261128,
    'deposit.status_changed': Deposit20261101,
    'balance.updated': BalanceUpdated20261101,
    'webhook.test': WebhookTested20261101,
  },
  '2026-11-28': EVENT_DATA_20261128,
  '2026-11-29': EVENT_DATA,
}
