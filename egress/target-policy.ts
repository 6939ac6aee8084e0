/** Decides where a request may go: https to public addresses, and the CIDRs that the operator has allowed. */

import ipaddr from 'ipaddr.js'
import { KeyturnError } from '../domain/errors.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Cidr = readonly [Address, number]

/** Parsed rules of the operator. */
export interface TargetPolicy {
  readonly allowed: readonly Cidr[]
  readonly denied: readonly Cidr[]
  readonly allowHttp: boolean
  /** Ports of addresses that are not in `allowed`. `null` allows every port. */
  readonly ports: ReadonlySet<number> | null
}

export interface TargetPolicyOptions {
  /** CIDRs that a webhook may reach although they are not public (`KEYTURN_WEBHOOK_ALLOW_CIDRS`). */
  readonly allowCidrs: readonly string[]
  /** Whether plain http is allowed to those CIDRs (`KEYTURN_WEBHOOK_ALLOW_HTTP`). */
  readonly allowHttp: boolean
  /**
   * CIDRs that are refused although they are public or allowed (`KEYTURN_WEBHOOK_DENY_CIDRS`). Default: none.
   */
  readonly denyCidrs?: readonly string[]
  /** Ports of addresses outside of `allowCidrs` (`KEYTURN_WEBHOOK_PORTS`). Default: every port. */
  readonly ports?: readonly number[]
}

/** Length above which a URL is refused. */
const MAX_URL_LENGTH = 2_048
/**
 * The public part of IPv6. Only 2000::/3 is assigned, but ipaddr.js calls the unassigned rest unicast as
 * well.
 */
const GLOBAL_UNICAST_V6 = ipaddr.parseCIDR('2000::/3')
/** Bits 64 to 95 of an ISATAP address: 0000:5efe, or 0200:5efe around a public address. */
const ISATAP_MARK = 0x5efe
const ISATAP_UNIVERSAL = 0x0200
/** Addresses in public ranges that answer only inside a cloud: Azure's metadata and agent channel. */
const CLOUD_INTERNAL = [ipaddr.parseCIDR('168.63.129.16/32')]

const NOT_HTTPS = 'must begin with https:// (http is for allowed addresses only)'

/** Ports of the schemes, which a URL leaves out. */
const DEFAULT_PORT: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 }

/** Parses the operator's rules. @throws Error that names the invalid CIDR. */
export function createTargetPolicy(options: TargetPolicyOptions): TargetPolicy {
  return {
    allowHttp: options.allowHttp,
    allowed: parseCidrs('KEYTURN_WEBHOOK_ALLOW_CIDRS', options.allowCidrs),
    denied: parseCidrs('KEYTURN_WEBHOOK_DENY_CIDRS', options.denyCidrs ?? []),
    ports: options.ports === undefined ? null : new Set(options.ports),
  }
}

function parseCidrs(name: string, texts: readonly string[]): Cidr[] {
  return texts.map((text) => {
    try {
      return ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)
    } catch (cause) {
      throw new Error(`${name}: "${text}" is not a CIDR`, { cause })
    }
  })
}

/**
 * Parses the URL of an endpoint and makes every check that needs no name server: the scheme, the absence of
 * credentials, and address and port if the host is an address (decimal, octal and hexadecimal forms are
 * normalised first).
 *
 * @throws KeyturnError `VALIDATION_FAILED`, or `INVALID_URL` for scheme, credentials and port. The message says why and
 * never repeats the path or query.
 */
export function parseTarget(text: string, policy: TargetPolicy): URL {
  if (text.length > MAX_URL_LENGTH) throw refused(`is longer than ${MAX_URL_LENGTH} characters`)
  if (!URL.canParse(text)) throw refused('is not a URL; send for example "https://shop.example/webhooks"')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && policy.allowHttp)) {
    throw refused('must begin with https://', 'INVALID_URL')
  }
  if (url.username !== '' || url.password !== '') {
    throw refused('must not carry a user name or password', 'INVALID_URL')
  }
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  if (ipaddr.isValid(literal)) refuseTarget(literal, url, policy)
  return url
}

/** Returns the port of a URL. */
export function portOf(url: Pick<URL, 'port' | 'protocol'>): number {
  return url.port === '' ? (DEFAULT_PORT[url.protocol] ?? 0) : Number(url.port)
}

/** Refuses a URL whose host has this address, if a request may not go there. @throws KeyturnError as `parseTarget`. */
export function refuseTarget(address: string, url: URL, policy: TargetPolicy): void {
  const reason = refuseAddress(address, url.protocol, policy)
  if (reason !== null) throw refused(reason, reason === NOT_HTTPS ? 'INVALID_URL' : 'VALIDATION_FAILED')
  const wrongPort = refusePort(portOf(url), policy, address)
  if (wrongPort !== null) throw refused(wrongPort, 'INVALID_URL')
}

/**
 * Returns the reason why a request may not go to a port. `null` if it may.
 *
 * @param address - The address that the host has. Absent while the host has none.
 */
export function refusePort(port: number, policy: TargetPolicy, address?: string): string | null {
  if (policy.ports === null || policy.ports.has(port)) return null
  if (address !== undefined && isInside(ipaddr.parse(address), policy.allowed)) return null
  return `must have one of the ports ${[...policy.ports].join(', ')}`
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
  if (isInside(parsed, policy.denied))
    return 'leads to an address that the operator of the platform has excluded'
  if (isInside(parsed, policy.allowed)) return null
  if (protocol !== 'https:') return NOT_HTTPS
  return isPublic(parsed)
    ? null
    : 'leads to an address that is not public; use one that the internet can reach'
}

/** Creates the error for a URL that cannot be an endpoint. */
export function refused(
  reason: string,
  code: 'VALIDATION_FAILED' | 'INVALID_URL' = 'VALIDATION_FAILED',
): KeyturnError {
  return new KeyturnError(code, `url ${reason}`, {
    details: { in: 'body', fields: [{ path: 'url', reason }] },
  })
}

function isPublic(address: Address): boolean {
  // ipaddr.js has ranges for addresses that wrap an IPv4 one (mapped, NAT64, 6to4, Teredo), so none is
  // unicast.
  if (address.range() !== 'unicast' || isInside(address, CLOUD_INTERNAL)) return false
  if (address instanceof ipaddr.IPv4) return true
  return isInside(address, [GLOBAL_UNICAST_V6]) && !isIsatap(address as ipaddr.IPv6)
}

/** Returns whether an address wraps an IPv4 one in its second half, as ISATAP does under any prefix. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const { parts } = address
  return ((parts[4] ?? 0) & ~ISATAP_UNIVERSAL) === 0 && parts[5] === ISATAP_MARK
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
