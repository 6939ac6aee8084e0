/** Opens the secrets that sign for an endpoint. */

import { openSecret } from '../../../vault/seal-secret.js'

/** Returns the secrets (`whsec_…`) in the order given. @throws Error if no master key opens one of them. */
export function openEndpointSecrets(
  masterKeys: readonly string[],
  endpointId: string,
  sealed: readonly Buffer[],
): string[] {
  const row = { table: 'webhook_endpoints', key: [endpointId] } as const
  return sealed.map((each) => openSecret(masterKeys, each, row).toString('utf8'))
}
