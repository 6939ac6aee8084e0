/** Creates the access to a screening service: its URL, its secret and a sender of its own. */

import { createSender, type Sender } from '../create-sender.js'
import { createTargetPolicy } from '../target-policy.js'

/** A screening service and the sender that reaches it. */
export interface ScreeningService {
  readonly sender: Sender
  readonly url: string
  /** Secret (`whsec_…`) that signs the questions. `null` if they are not signed. */
  readonly secret: string | null
}

export interface ScreeningOptions {
  /** URL of the service. `undefined` if none is configured. */
  readonly url: string | undefined
  readonly secret: string | undefined
  readonly timeoutMs: number
  /** CIDRs where the service may be although they are not public. Plain http is allowed there. */
  readonly allowCidrs: readonly string[]
}

/**
 * Creates the service with its own sender, so that the CIDRs allowed for it and those allowed for webhooks stay
 * separate.
 *
 * @returns `null` if no URL is configured.
 */
export function createScreeningService(options: ScreeningOptions): ScreeningService | null {
  const { url, secret = null, timeoutMs, allowCidrs } = options
  if (url === undefined) return null
  const policy = createTargetPolicy({ allowCidrs, allowHttp: allowCidrs.length > 0 })
  return { url, secret, sender: createSender({ policy, timeoutMs }) }
}
