/** Where a webhook may go: https to public addresses, and whatever else the operator has allowed by CIDR. */

import ipaddr from 'ipaddr.js'
import { KeyturnError } from '../domain/errors.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Cidr = readonly [Address, number]

/** The operator's exceptions, parsed. */
export interface TargetPolicy {
  readonly allowed: readonly Cidr[]
  readonly allowHttp: boolean
}

export interface TargetPolicyOptions {
  /** `KEYTURN_WEBHOOK_ALLOW_CIDRS`: reachable although not public. */
  readonly allowCidrs: readonly string[]
  /** `KEYTURN_WEBHOOK_ALLOW_HTTP`: plain http, to the addresses above only. */
  readonly allowHttp: boolean
}

/** Longer ones are refused. */
const MAX_URL_LENGTH = 2_048
/** Only 2000::/3 is handed out for the public internet; ipaddr.js calls the unassigned rest unicast as well. */
const GLOBAL_UNICAST_V6 = ipaddr.parseCIDR('2000::/3')
/** Public by number, yet an answer from inside a cloud: Azure's metadata and agent channel. */
const CLOUD_INTERNAL = [ipaddr.parseCIDR('168.63.129.16/32')]

/** Parses the operator's exceptions. @throws Error that names a CIDR which is none. */
export function createTargetPolicy(options: TargetPolicyOptions): TargetPolicy {
  return {
    allowHttp: options.allowHttp,
    allowed: options.allowCidrs.map((text) => {
      try {
        return ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)
      } catch (cause) {
        throw new Error(`KEYTURN_WEBHOOK_ALLOW_CIDRS: "${text}" is not a CIDR`, { cause })
      }
    }),
  }
}

/**
 * Parses the URL of an endpoint and checks all that can be checked without asking anybody: the scheme, that it carries
 * no credentials, and the address where its host is one (decimal, octal and hexadecimal forms are normalised first).
 *
 * @throws KeyturnError `VALIDATION_FAILED` that says why; it never repeats the path or query.
 */
export function parseTarget(text: string, policy: TargetPolicy): URL {
  if (text.length > MAX_URL_LENGTH) throw refused(`is longer than ${MAX_URL_LENGTH} characters`)
  if (!URL.canParse(text)) throw refused('is not a URL; send for example "https://shop.example/webhooks"')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && policy.allowHttp)) {
    throw refused('must begin with https://')
  }
  if (url.username !== '' || url.password !== '') throw refused('must not carry a user name or password')
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  if (ipaddr.isValid(literal)) {
    const reason = refuseAddress(literal, url.protocol, policy)
    if (reason !== null) throw refused(reason)
  }
  return url
}

/**
 * Why a webhook may not go to an address; null where it may.
 *
 * @param address - As resolved, or as an IP literal.
 * @param protocol - `https:` or `http:`; the latter only to allowed addresses.
 */
export function refuseAddress(address: string, protocol: string, policy: TargetPolicy): string | null {
  if (!ipaddr.isValid(address)) return 'does not resolve to an address'
  const parsed = ipaddr.parse(address)
  if (isInside(parsed, policy.allowed)) return null
  if (protocol !== 'https:') return 'must begin with https:// (http is for allowed addresses only)'
  return isPublic(parsed)
    ? null
    : 'leads to an address that is not public; use one that the internet can reach'
}

/** The error for a URL that may not be an endpoint's. */
export function refused(reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `url ${reason}`, {
    details: { in: 'body', fields: [{ path: 'url', reason }] },
  })
}

function isPublic(address: Address): boolean {
  // Addresses that wrap an IPv4 one (mapped, NAT64, 6to4, Teredo) have ranges of their own, so none of them is unicast.
  if (address.range() !== 'unicast' || isInside(address, CLOUD_INTERNAL)) return false
  return address.kind() === 'ipv4' || isInside(address, [GLOBAL_UNICAST_V6])
}

function isInside(address: Address, cidrs: readonly Cidr[]): boolean {
  // ::ffff:127.0.0.1 is 127.0.0.1 to the kernel, so it is to an exception for 127.0.0.0/8.
  const plain =
    address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address
  return cidrs.some(([range, bits]) => {
    if (plain instanceof ipaddr.IPv4) return range instanceof ipaddr.IPv4 && plain.match(range, bits)
    return range instanceof ipaddr.IPv6 && plain.match(range, bits)
  })
}
