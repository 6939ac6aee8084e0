/** Lists the types of events that a merchant can receive. */

export const EVENT_TYPES = [
  'payment.status_changed',
  'deposit.status_changed',
  'balance.updated',
  'withdrawal.status_changed',
  'withdrawal.transaction_replaced',
  'batch.status_changed',
  'exception.raised',
  'webhook.test',
  'webhook_endpoint.failing',
  'webhook_endpoint.disabled',
  'webhook_endpoint.enabled',
  'signer.offline',
  'signer.online',
  'wallet.low_balance',
  'movement.status_changed',
  'transfer.created',
  'policy.status_changed',
  'whitelist.status_changed',
] as const

export type EventType = (typeof EVENT_TYPES)[number]
