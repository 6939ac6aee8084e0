/** Limits unauthenticated requests by address, before more than their headers is read. */

import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'
import type { ApiEnv } from '../context.js'
import { clientAddress, parseRanges } from './allow-ip.js'
import { createBuckets, rateLimited } from './create-buckets.js'
import { RecentSet } from './recent-set.js'

/** Remembered pairs of id and address that authenticated. Strangers at the same address do not hold them up. */
const MOST_KNOWN = 50_000
/** Prefix length of one customer's IPv6 network. */
const IPV6_NETWORK_BITS = 64

export interface AddressGuard {
  /** Admits a request. @param id - Identity that it claims. @throws KeyturnError `RATE_LIMITED`. */
  begin(c: Context<ApiEnv>, id: string): void
  /** Records that the request was authenticated. */
  passed(c: Context<ApiEnv>, id: string): void
  /** Records that the request was not authenticated. */
  failed(c: Context<ApiEnv>, id: string): void
}

export interface AddressGuardOptions {
  /** Unauthenticated requests allowed a minute for each address. */
  readonly perMinute: number
  /** `KEYTURN_TRUSTED_PROXIES`. */
  readonly trustedProxies: readonly string[]
  readonly now?: () => number
}

/** Returns the address by which requests are counted. Of IPv6 it is the network of one customer. */
export function senderOf(c: Context<ApiEnv>, proxies: ReturnType<typeof parseRanges>): string {
  const address = clientAddress(c, proxies)
  if (!(address instanceof ipaddr.IPv6)) return address?.toString() ?? 'unknown'
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${IPV6_NETWORK_BITS}`)}`
}

/** Creates the guard of a process. @throws Error if the proxies are not a list of CIDRs. */
export function createAddressGuard({ perMinute, trustedProxies, now }: AddressGuardOptions): AddressGuard {
  const proxies = parseRanges(trustedProxies)
  const buckets = createBuckets(now)
  const known = new RecentSet(MOST_KNOWN)
  const addressOf = (c: Context<ApiEnv>): string => senderOf(c, proxies)
  return {
    begin(c, id) {
      const address = addressOf(c)
      if (known.has(`${address}\n${id}`)) return
      const seconds = buckets.wait(address, perMinute)
      if (seconds === 0) return
      throw rateLimited('Too many unauthenticated requests came from this address', perMinute, seconds)
    },
    passed(c, id) {
      known.add(`${addressOf(c)}\n${id}`)
    },
    failed(c, id) {
      const address = addressOf(c)
      known.delete(`${address}\n${id}`)
      buckets.owe(address, perMinute)
    },
  }
}
