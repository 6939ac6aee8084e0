/** Decides where a webhook may go: https to public addresses, and the CIDRs that the operator has allowed. */

import ipaddr from 'ipaddr.js'
import { KeyturnError } from '../domain/errors.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Cidr = readonly [Address, number]

/** Parsed exceptions of the operator. */
export interface TargetPolicy {
  readonly allowed: readonly Cidr[]
  readonly allowHttp: boolean
}

export interface TargetPolicyOptions {
  /** CIDRs that a webhook may reach although they are not public (`KEYTURN_WEBHOOK_ALLOW_CIDRS`). */
  readonly allowCidrs: readonly string[]
  /** Whether plain http is allowed to those CIDRs (`KEYTURN_WEBHOOK_ALLOW_HTTP`). */
  readonly allowHttp: boolean
}

/** Length above which a URL is refused. */
const MAX_URL_LENGTH = 2_048
/**
 * The public part of IPv6. Only 2000::/3 is assigned, but ipaddr.js calls the unassigned rest unicast as
 * well.
 */
const GLOBAL_UNICAST_V6 = ipaddr.parseCIDR('2000::/3')
/** Addresses in public ranges that answer only inside a cloud: Azure's metadata and agent channel. */
const CLOUD_INTERNAL = [ipaddr.parseCIDR('168.63.129.16/32')]

/** Parses the operator's exceptions. @throws Error that names the invalid CIDR. */
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
 * Parses the URL of an endpoint and makes every check that needs no name server: the scheme, the absence of
 * credentials, and the address if the host is one (decimal, octal and hexadecimal forms are normalised
 * first).
 *
 * @throws KeyturnError `VALIDATION_FAILED` whose message says why and never repeats the path or query.
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
 * Returns the reason why a webhook may not go to an address. `null` if it may.
 *
 * @param address - The resolved address, or the IP literal of the URL.
 * @param protocol - `https:`, or `http:`, which is accepted for allowed addresses only.
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

/** Creates the error for a URL that cannot be an endpoint. */
export function refused(reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `url ${reason}`, {
    details: { in: 'body', fields: [{ path: 'url', reason }] },
  })
}

function isPublic(address: Address): boolean {
  // ipaddr.js has ranges for addresses that wrap an IPv4 one (mapped, NAT64, 6to4, Teredo), so none is
  // unicast.
  if (address.range() !== 'unicast' || isInside(address, CLOUD_INTERNAL)) return false
  return address.kind() === 'ipv4' || isInside(address, [GLOBAL_UNICAST_V6])
}

function isInside(address: Address, cidrs: readonly Cidr[]): boolean {
  // The kernel takes ::ffff:127.0.0.1 for 127.0.0.1, so an exception for 127.0.0.0/8 covers it.
  const plain =
    address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address
  return cidrs.some(([range, bits]) => {
    if (plain instanceof ipaddr.IPv4) return range instanceof ipaddr.IPv4 && plain.match(range, bits)
    return range instanceof ipaddr.IPv6 && plain.match(range, bits)
  })
}
