/** Names the classes of failed webhook attempts. Each says who must act (docs/operating/webhooks.md). */

export const FAILURE_CLASSES = [
  'unreachable',
  'timeout',
  'endpoint_error',
  'signature_rejected',
  'contract_rejected',
  'redirect',
  'blocked',
] as const

/**
 * Class of a failed attempt. `unreachable`: no connection, which covers DNS and TLS. `timeout`: no answer in time.
 * `endpoint_error`, `signature_rejected`, `contract_rejected` and `redirect` follow from the status of the answer.
 * `blocked`: the platform's own guard refused the address.
 */
export type FailureClass = (typeof FAILURE_CLASSES)[number]

/** Statuses below 500 that report a defect of the endpoint, and not of the webhook: not found, too slow, too many. */
const ENDPOINT_ERRORS: readonly number[] = [404, 408, 429]
const SIGNATURE_REJECTIONS: readonly number[] = [401, 403]

/** Returns the class of an answer. `null` for a 2xx, which accepts the webhook. */
export function classifyStatus(statusCode: number): FailureClass | null {
  if (statusCode >= 200 && statusCode < 300) return null
  if (statusCode >= 300 && statusCode < 400) return 'redirect'
  if (SIGNATURE_REJECTIONS.includes(statusCode)) return 'signature_rejected'
  if (statusCode >= 400 && statusCode < 500 && !ENDPOINT_ERRORS.includes(statusCode)) {
    return 'contract_rejected'
  }
  return 'endpoint_error'
}
