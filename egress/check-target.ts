/** Checks the URL of an endpoint when it is registered. The sender applies the same rules at every connection. */

import ipaddr from 'ipaddr.js'
import { type ResolveHost, resolveHost } from './resolve-host.js'
import { parseTarget, portOf, refused, refusePort, refuseTarget, type TargetPolicy } from './target-policy.js'

/**
 * Checks that a URL may be an endpoint: its form, its port, and every address that its host has now. A host that
 * does not resolve yet passes if its port does, because its DNS record may still be spreading and the sender
 * resolves it again each time.
 *
 * @returns The URL, normalised.
 * @throws KeyturnError `VALIDATION_FAILED` or `INVALID_URL` whose message says what to change.
 */
export async function checkTarget(
  text: string,
  policy: TargetPolicy,
  resolve: ResolveHost = resolveHost,
): Promise<string> {
  const url = parseTarget(text, policy)
  if (ipaddr.isValid(url.hostname.replace(/^\[|\]$/g, ''))) return url.href
  let addresses: readonly string[] = []
  try {
    addresses = await resolve(url.hostname)
  } catch {
    const reason = refusePort(portOf(url), policy)
    if (reason !== null) throw refused(reason, 'INVALID_URL')
    return url.href
  }
  for (const address of addresses) refuseTarget(address, url, policy)
  return url.href
}
