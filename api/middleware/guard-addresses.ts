/** Limits by address those who have not shown yet that they may ask, before more than their headers is read. */

import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { clientAddress, parseRanges } from './allow-ip.js'
import { createBuckets } from './create-buckets.js'
import { RecentSet } from './recent-set.js'

/** Who asked from where with success; they are not held up by strangers at the same address. */
const MOST_KNOWN = 50_000
/** One customer's worth of IPv6. */
const IPV6_NETWORK_BITS = 64

export interface AddressGuard {
  /** Lets a request begin. @param id - Who it says that it is. @throws KeyturnError `RATE_LIMITED`. */
  begin(c: Context<ApiEnv>, id: string): void
  /** It was who it said. */
  passed(c: Context<ApiEnv>, id: string): void
  /** It was not. */
  failed(c: Context<ApiEnv>, id: string): void
}

export interface AddressGuardOptions {
  /** Requests a minute and address that may turn out not to be authenticated. */
  readonly perMinute: number
  /** `KEYTURN_TRUSTED_PROXIES`. */
  readonly trustedProxies: readonly string[]
  readonly now?: () => number
}

/** Makes the guard of a process. @throws Error when the proxies are not a list of CIDRs. */
export function createAddressGuard({ perMinute, trustedProxies, now }: AddressGuardOptions): AddressGuard {
  const proxies = parseRanges(trustedProxies)
  const buckets = createBuckets(now)
  const known = new RecentSet(MOST_KNOWN)
  const addressOf = (c: Context<ApiEnv>): string => {
    const address = clientAddress(c, proxies)
    if (!(address instanceof ipaddr.IPv6)) return address?.toString() ?? 'unknown'
    return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${IPV6_NETWORK_BITS}`)}`
  }
  return {
    begin(c, id) {
      const address = addressOf(c)
      if (known.has(`${address}\n${id}`)) return
      const seconds = buckets.wait(address, perMinute)
      if (seconds === 0) return
      throw new KeyturnError(
        'RATE_LIMITED',
        `Too many requests of this address were not authenticated; wait ${seconds} s`,
        { retryable: true, details: { limit_per_minute: perMinute, retry_after: seconds } },
      )
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
