/** Lists the public names of `@keyturn/client`. */

export type * from '../domain/controls/intent.js'
export { intentHash } from '../domain/controls/intent.js'
export type { EventType } from '../domain/events/event.js'
export { ApiError } from './api-error.js'
export { type SignedDecision, signDecision } from './approve/sign-decision.js'
export type { ClientPage, Sent } from './calls.js'
export {
  checkAddress,
  type ExportedXpub,
  ForeignAddressError,
  type ReturnedAddress,
} from './check-address.js'
export { type Client, type ClientOptions, createClient } from './create-client.js'
export { untilExported } from './exports.js'
export type { Request } from './send-request.js'
export { type RequestToSign, signRequest } from './sign-request.js'
export type * from './types.js'
export { type ExportedAuditEntry, verifyAuditLog } from './verify-audit-log.js'
export { verifyWebhook, type WebhookHeaders, WebhookVerificationError } from './verify-webhook.js'
