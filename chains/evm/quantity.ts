/**
 * Reads the hex of JSON-RPC by hand, because blocks have tens of thousands of such values, where a schema
 * library is slow.
 */

import { EndpointFailure } from './rpc/rpc-error.js'

const HEX = /^0x[0-9a-fA-F]+$/
const LOWER_HEX = /^0x[0-9a-f]+$/

/** Reads a quantity (`0x1a`) as bigint. @throws EndpointFailure that names the field. */
export function toBigInt(value: unknown, field: string): bigint {
  if (typeof value !== 'string' || !HEX.test(value)) throw new EndpointFailure(`a malformed ${field}`)
  return BigInt(value)
}

/**
 * Reads a quantity that must be a safe integer: heights, indexes, nonces, times. @throws EndpointFailure that
 * names the field.
 */
export function toInteger(value: unknown, field: string): number {
  const integer = typeof value === 'string' && HEX.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(integer)) throw new EndpointFailure(`a malformed ${field}`)
  return integer
}

/**
 * Reads bytes of a fixed length as lower-case hex with 0x (20: an address, 32: a hash). @throws
 * EndpointFailure that names the field.
 */
export function toBytes(value: unknown, length: number, field: string): string {
  if (typeof value === 'string' && value.length === 2 + 2 * length) {
    // Nodes write lower case nearly always, so that most values need no copy.
    if (LOWER_HEX.test(value)) return value
    if (HEX.test(value)) return value.toLowerCase()
  }
  throw new EndpointFailure(`a malformed ${field}`)
}

/** Reads an object of a node's answer. @throws EndpointFailure that names the field. */
export function toRecord(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EndpointFailure(`a malformed ${field}`)
  }
  return value as Readonly<Record<string, unknown>>
}

/** Reads a list of a node's answer. @throws EndpointFailure that names the field. */
export function toList(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new EndpointFailure(`a malformed ${field}`)
  return value
}

/** Writes a number as a JSON-RPC quantity. */
export function toQuantity(value: number | bigint): `0x${string}` {
  return `0x${value.toString(16)}`
}
