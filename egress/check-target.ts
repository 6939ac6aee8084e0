/** The check of an endpoint's URL when it is registered; the same rules hold again at every connection. */

import ipaddr from 'ipaddr.js'
import { type ResolveHost, resolveHost } from './resolve-host.js'
import { parseTarget, refuseAddress, refused, type TargetPolicy } from './target-policy.js'

/**
 * Checks that a URL may be an endpoint: its form, and every address that its host has now. A host that cannot be
 * resolved yet passes: its name may be on the way, and the sender asks again each time.
 *
 * @returns The URL, normalised.
 * @throws KeyturnError `VALIDATION_FAILED` that says what to change.
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
