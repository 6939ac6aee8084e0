/** Resolves host names for webhooks, so that a dead name server delays no other host. */

import { lookup, Resolver } from 'node:dns/promises'

/** Returns all addresses of a host name. Tests inject their own. @throws Error when there are none. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>

/** Time given to a name server, which is asked at most twice. */
const DNS_TIMEOUT_MS = 3_000
const DNS_TRIES = 2

/**
 * Asks the name servers for A and AAAA records. It does not begin with getaddrinfo, which blocks one of
 * libuv's four threads: a few dead zones would stop every delivery. getaddrinfo answers only for names that
 * the name servers do not know (/etc/hosts, localhost).
 */
export const resolveHost: ResolveHost = async (hostname) => {
  if (hostname !== 'localhost') {
    const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES })
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (addresses.length > 0) return addresses
    const timedOut = answers.find(
      (answer) => answer.status === 'rejected' && (answer.reason as { code?: string }).code === 'ETIMEOUT',
    )
    if (timedOut?.status === 'rejected') throw timedOut.reason
  }
  return (await lookup(hostname, { all: true, verbatim: true })).map((entry) => entry.address)
}
