/** Tests texts of the platform in log lines and refusals: visible, and short. */

import { afterEach, expect, test, vi } from 'vitest'
import { refuse } from '../../signer/checks/check.js'
import { decide } from '../../signer/decide.js'
import { log } from '../../signer/log.js'
import { ethRequest, makeState } from './fixture.js'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Logs one line. @returns What was written. */
function logged(message: string, fields: Record<string, string>): string {
  let text = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk
    return true
  })
  log('warn', message, fields)
  vi.restoreAllMocks()
  return text
}

test('shows characters that move the cursor or hide others as codes', () => {
  const line = logged('Refused', { request: 'a\u202eb\u0085c\u001b[2K\u2028d' })
  expect(line.slice(0, -1)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
  expect(line).toContain('a\\u202eb\\u0085c\\u001b[2K\\u2028d')
})

test.each(['x', '\u0000', '\u202e', '€', '😀', '"'])('keeps a line of many %j within 1 KB', (unit) => {
  const long = unit.repeat(2_000_000)
  const line = logged(long, { request: long, code: long, reason: long, place: long })
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(1_024)
  expect(JSON.parse(line)).toMatchObject({ level: 'warn' })
})

test.each(['x', '€', '😀'])('keeps the message of a refusal with many %j within 1 KB', (unit) => {
  const { message } = refuse('MALFORMED', unit.repeat(2_000_000))
  expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1_024)
})

test('refuses a request above 4 MiB or 10,000 values before it reads its fields', () => {
  const ofBytes = (count: number) => ({ ...ethRequest(), more: 'x'.repeat(count) })
  const ofValues = (count: number) => ({ ...ethRequest(), more: Array(count).fill(0) })
  const about = (request: unknown) => {
    const decision = decide(request, makeState())
    return decision.outcome === 'signed' ? 'signed' : decision.message
  }
  expect(about(ofBytes(4 * 1_048_576))).toBe('The request is larger than 4194304 bytes')
  expect(about(ofValues(10_000))).toBe('The request has more than 10000 values')
  expect(about(ofBytes(4 * 1_048_576 - 10_000))).toBe('signed')
  expect(about(ofValues(9_000))).toBe('signed')
})
