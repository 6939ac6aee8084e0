/** Checks the URL of an endpoint when it is registered. The sender applies the same rules at every connection. */

import ipaddr from 'ipaddr.js'
import { type ResolveHost, resolveHost } from './resolve-host.js'
import { parseTarget, refuseAddress, refused, type TargetPolicy } from './target-policy.js'

/**
 * Checks that a URL may be an endpoint: its form, and every address that its host has now. A host that does
 * not resolve yet passes, because its DNS record may still be spreading and the sender resolves it again each
 * time.
 *
 * @returns The URL, normalised.
 * @throws KeyturnError `VALIDATION_FAILED` whose message says what to change.
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
    return url.href
  }
  for (const address of addresses) {
    const reason = refuseAddress(address, url.protocol, policy)
    if (reason !== null) throw refused(reason)
  }
  return url.href
}
