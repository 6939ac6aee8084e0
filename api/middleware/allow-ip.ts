/** Refuses mutating requests from addresses outside the key's allowlist. */

import type { Context, MiddlewareHandler } from 'hono'
import ipaddr from 'ipaddr.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = [Address, number]

/** Parsed ranges by list. A list is the array of a cached key, so it is parsed once. */
const parsedLists = new WeakMap<readonly string[], readonly Range[]>()

/**
 * Checks POST, PUT, PATCH and DELETE. An empty allowlist allows no address.
 *
 * @param trustedProxies - CIDRs of proxies whose `X-Forwarded-For` is trusted (`KEYTURN_TRUSTED_PROXIES`).
 */
export function allowIp(trustedProxies: readonly string[]): MiddlewareHandler<ApiEnv> {
  const proxies = parseRanges(trustedProxies)
  return async function allowIp(c, next) {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      const address = clientAddress(c, proxies)
      c.set('clientIp', address?.toString() ?? null)
      if (!address || !isInside(address, rangesOf(c.get('ipAllowlist')))) {
        const shown = address?.toString() ?? 'unknown'
        throw new KeyturnError(
          'IP_NOT_ALLOWED',
          `This key may not send mutating requests from ${shown}. Add the address to the key's allowlist`,
          { details: { ip: shown } },
        )
      }
    }
    await next()
  }
}

/** Returns the peer's address or, behind trusted proxies, the last untrusted one in `X-Forwarded-For`. */
export function clientAddress(c: Context<ApiEnv>, proxies: readonly Range[]): Address | null {
  let address = parseAddress(c.env?.incoming?.socket?.remoteAddress)
  if (proxies.length === 0) return address
  const forwarded = (c.req.header('x-forwarded-for') ?? '').split(',').filter((part) => part.trim() !== '')
  while (address && isInside(address, proxies)) {
    const before = forwarded.pop()
    if (before === undefined) break
    address = parseAddress(before.trim())
  }
  return address
}

/** Parses CIDRs or single addresses. @throws Error on other text. */
export function parseRanges(cidrs: readonly string[]): readonly Range[] {
  return cidrs.map((cidr) => {
    const range: Range = cidr.includes('/') ? ipaddr.parseCIDR(cidr) : single(ipaddr.parse(cidr))
    return narrow(range)
  })
}

function rangesOf(list: readonly string[]): readonly Range[] {
  let ranges = parsedLists.get(list)
  if (!ranges) {
    ranges = parseRanges(list)
    parsedLists.set(list, ranges)
  }
  return ranges
}

function single(address: Address): Range {
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

/** Returns the IPv4 range of an IPv4-mapped IPv6 range (::ffff:0:0/96 and below), and other ranges unchanged. */
function narrow([address, bits]: Range): Range {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96
    ? [address.toIPv4Address(), bits - 96]
    : [address, bits]
}

function isInside(address: Address, ranges: readonly Range[]): boolean {
  return ranges.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits))
}

/** Parses an address of a socket or header. It drops port and zone, and turns IPv4-mapped IPv6 into IPv4. */
function parseAddress(text: string | undefined): Address | null {
  if (text === undefined) return null
  const [, bracketed, ipv4] = /^(?:\[([^\]]+)\](?::\d+)?|(\d+(?:\.\d+){3}):\d+)$/.exec(text) ?? []
  const address = bracketed ?? ipv4 ?? text
  return ipaddr.isValid(address) ? ipaddr.process(address.replace(/%.*$/, '')) : null
}
