/** The four-eyes principle: who counts, and when a subject is approved. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Requirement, tallyApprovals } from '../../../domain/controls/approval.js'

const PEOPLE = ['ada', 'grace', 'edsger', 'alan', 'asker', 'editor']
const intent = { hash: 'a', initiators: ['asker', 'editor'] }
const approval = fc.record({
  person_id: fc.constantFrom(...PEOPLE),
  decision: fc.constantFrom('approve' as const, 'approve' as const, 'approve' as const, 'reject' as const),
  intent_hash: fc.constantFrom('a', 'a', 'a', 'b'),
})
const approvals = fc
  .array(approval, { maxLength: 8 })
  .map((list) => list.map((each) => ({ ...each, approver_id: `key of ${each.person_id}` })))
const requirement: fc.Arbitrary<Requirement> = fc.record({
  count: fc.integer({ min: 0, max: 4 }),
  signers: fc
    .subarray(PEOPLE)
    .map((list) => list.map((id, i) => ({ id: `key of ${id}`, role: i % 2 ? 'finance' : 'admin' }))),
  roles: fc.subarray(['admin', 'finance']),
})

test('approves with enough different people, of those named, in the required roles, without the initiators', () => {
  fc.assert(
    fc.property(approvals, requirement, (given, needed) => {
      if (tallyApprovals(given, intent, needed) !== 'approved') return
      const signed = given.filter(
        (each) => each.intent_hash === 'a' && !intent.initiators.includes(each.person_id),
      )
      const named = signed.filter(
        (each) =>
          needed.signers.length === 0 || needed.signers.some((signer) => signer.id === each.approver_id),
      )
      const people = new Set(named.map((each) => each.person_id))
      expect(people.size).toBeGreaterThanOrEqual(Math.max(2, needed.count))
      const roles = needed.signers.flatMap((signer) =>
        named.some((each) => each.approver_id === signer.id) ? [signer.role] : [],
      )
      for (const role of needed.roles) expect(roles).toContain(role)
    }),
    { numRuns: 3_000 },
  )
})

test('asking for more never approves what asking for less did not', () => {
  fc.assert(
    fc.property(approvals, requirement, (given, needed) => {
      if (tallyApprovals(given, intent, { ...needed, count: needed.count + 1 }) !== 'approved') return
      expect(tallyApprovals(given, intent, needed)).toBe('approved')
      expect(tallyApprovals(given, intent)).toBe('approved')
    }),
  )
})

test('counts a rejection of every person except an initiator', () => {
  const reject = { approver_id: 'x', decision: 'reject' as const, intent_hash: 'a' }
  const needed: Requirement = { count: 2, signers: [{ id: 'key of ada', role: 'admin' }], roles: [] }
  expect(tallyApprovals([{ ...reject, person_id: 'alan' }], intent, needed)).toBe('rejected')
  for (const person_id of intent.initiators) {
    expect(tallyApprovals([{ ...reject, person_id }], intent, needed)).toBe('waiting')
  }
})
