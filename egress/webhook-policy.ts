/** Reads the rules for webhooks from the environment, for the check at registration and for each attempt alike. */

import { createTargetPolicy, type TargetPolicy } from './target-policy.js'

/** Variables of the environment that decide where a webhook may go. */
export interface WebhookTargets {
  readonly KEYTURN_WEBHOOK_ALLOW_CIDRS: readonly string[]
  readonly KEYTURN_WEBHOOK_ALLOW_HTTP: boolean
  readonly KEYTURN_WEBHOOK_DENY_CIDRS: readonly string[]
  readonly KEYTURN_WEBHOOK_PORTS: readonly number[]
}

/** Creates the policy of webhooks. @throws Error that names the invalid CIDR. */
export function createWebhookPolicy(environment: WebhookTargets): TargetPolicy {
  return createTargetPolicy({
    allowCidrs: environment.KEYTURN_WEBHOOK_ALLOW_CIDRS,
    allowHttp: environment.KEYTURN_WEBHOOK_ALLOW_HTTP,
    denyCidrs: environment.KEYTURN_WEBHOOK_DENY_CIDRS,
    ports: environment.KEYTURN_WEBHOOK_PORTS,
  })
}
