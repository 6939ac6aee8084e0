/** Name resolution for webhooks: every address of a host, without letting a dead name server hold up other hosts. */

import { lookup, Resolver } from 'node:dns/promises'

/** Finds all addresses of a host name. @throws when there are none. Injected in tests. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>

/** A name server that does not answer costs this long at most, twice. */
const DNS_TIMEOUT_MS = 3_000
const DNS_TRIES = 2

/**
 * Asks the name servers for A and AAAA records. Not getaddrinfo first: that blocks one of libuv's four threads, so a few
 * dead zones would stop every delivery. It is asked only for what the name servers do not know (/etc/hosts, localhost).
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
