/** Measures requests before they are parsed further. */

import { MAX_REQUEST_BYTES } from '../domain/signing/signer-protocol.js'

/** Most values of a request. The largest batch with all its items and approvals has half of it. */
export const MAX_REQUEST_VALUES = 10_000

/** Size of a request: bytes of its texts and names, and values. Counting stops where either is too large. */
export interface RequestSize {
  readonly bytes: number
  readonly values: number
}

/**
 * Measures a parsed request in one pass that ends at the first value too many. It keeps a list of its own, so
 * that deep nesting cannot overflow the stack.
 */
export function requestSize(input: unknown): RequestSize {
  let bytes = 0
  let values = 0
  const left: unknown[] = [input]
  while (left.length > 0 && bytes <= MAX_REQUEST_BYTES && values <= MAX_REQUEST_VALUES) {
    const value = left.pop()
    values++
    if (typeof value === 'string') bytes += Buffer.byteLength(value) + 2
    else if (typeof value !== 'object' || value === null) bytes += String(value).length
    else if (Array.isArray(value)) {
      if (value.length > MAX_REQUEST_VALUES) values = value.length
      else for (const each of value) left.push(each)
    } else {
      for (const name in value) {
        bytes += Buffer.byteLength(name) + 3
        left.push((value as Record<string, unknown>)[name])
        if (left.length > MAX_REQUEST_VALUES) return { bytes, values: left.length }
      }
    }
    bytes++
  }
  return { bytes, values }
}

/** Says which limit a request exceeds. @returns `null` when it exceeds none. */
export function tooLarge({ bytes, values }: RequestSize): string | null {
  if (bytes > MAX_REQUEST_BYTES) return `The request is larger than ${MAX_REQUEST_BYTES} bytes`
  if (values > MAX_REQUEST_VALUES) return `The request has more than ${MAX_REQUEST_VALUES} values`
  return null
}
