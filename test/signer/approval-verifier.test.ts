/** Tests that each approval of a claim is verified once, and that no other is taken for it. */

import { expect, test } from 'vitest'
import { decideWitnessed } from '../../signer/decide.js'
import { type Helpers, noHelpers } from '../../signer/helpers/helpers.js'
import { type ParsedApproval, parseRequest } from '../../signer/parse-request.js'
import { Runs } from '../../signer/runs.js'
import { alice, bob, ethRequest, makeState, usdtRequest } from './fixture.js'

/** Makes a state, and helpers that note each approval that they shall verify. */
function counted() {
  const verified: string[] = []
  const helpers: Helpers = {
    ...noHelpers,
    offer(tasks) {
      for (const { task } of tasks) if (task.family === 'approval') verified.push(task.signature)
      return noHelpers.offer(tasks)
    },
  }
  return { state: makeState(), helpers, verified }
}

/** Reads a request, as the signer does, with the pinned key of its first approver. */
function prefetched(change: (approval: ParsedApproval) => ParsedApproval = (each) => each) {
  const { state, helpers, verified } = counted()
  const reading = parseRequest(ethRequest())
  const { policy, approvals } = state
  const [key, other] = [alice, bob].map(({ approverId }) => policy?.approvers.get(approverId)?.key)
  if ('reason' in reading || !policy || !key || !other) throw new Error('The fixture has all of it')
  const [honest] = reading.request.approvals
  if (!honest) throw new Error('The request has approvals')
  const request = { ...reading.request, approvals: [change(honest)] }
  approvals.prefetch([request], policy, helpers)
  return { approvals, honest, key, other, verified }
}

test('verifies an approval once for all payloads of a claim, and again for the next claim', async () => {
  const { state, helpers, verified } = counted()
  // Payloads of one intent, as those of a batch's parts. The second is refused for its nonce.
  const claim = [ethRequest(), ethRequest({ payload: { nonce: 7 } }), usdtRequest()]
  const [signed, refused, other] = await decideWitnessed(claim, state, new Runs(), helpers)
  expect([signed?.outcome, other?.outcome]).toEqual(['signed', 'signed'])
  expect(refused).toMatchObject({ outcome: 'refused', code: 'CONFLICT_SET' })
  expect(verified).toHaveLength(4)
  expect(new Set(verified).size).toBe(4)
  await decideWitnessed(claim, state, new Runs(), helpers)
  expect(verified).toHaveLength(8)
})

const CHANGES: Readonly<Record<string, (approval: ParsedApproval) => ParsedApproval>> = {
  'the signature': (each) => ({ ...each, signature: flipped(each.signature) }),
  'the hash': (each) => ({
    ...each,
    intent_hash: each.intent_hash.replace(/^./, (x) => (x === '0' ? '1' : '0')),
  }),
  'the decision': (each) => ({ ...each, decision: 'reject' }),
  'the approver': (each) => ({ ...each, approver_id: `${each.approver_id}x` }),
  'the time': (each) => ({ ...each, signed_at: each.signed_at.replace('Z', '1Z') }),
}

test.each(Object.entries(CHANGES))(
  'takes no answer for an approval that differs in %s',
  async (_, change) => {
    const { approvals, honest, key, other } = await prefetched()
    expect(approvals.isSigned(key, honest)).toBe(true)
    expect(approvals.isSigned(key, change(honest))).toBe(false)
    expect(approvals.isSigned(other, honest)).toBe(false)
    approvals.forget()
    expect(approvals.isSigned(key, honest)).toBe(true)
  },
)

test('takes the answer about a forged approval for no other one', () => {
  const forged = (each: ParsedApproval) => ({ ...each, signature: flipped(each.signature) })
  const { approvals, honest, key } = prefetched(forged)
  expect(approvals.isSigned(key, forged(honest))).toBe(false)
  expect(approvals.isSigned(key, honest)).toBe(true)
})

test('refuses a forged approval beside the honest one in the same claim', async () => {
  const { state, helpers } = counted()
  const honest = usdtRequest()
  const request = ethRequest()
  const approvals = request.approvals.map((each, at) =>
    at === 0 ? { ...each, signature: flipped(each.signature) } : each,
  )
  const forged = { ...request, approvals }
  const decisions = await decideWitnessed(
    [honest, forged, ethRequest({ payload: { nonce: 7 } })],
    state,
    new Runs(),
    helpers,
  )
  expect(decisions.map((each) => (each.outcome === 'refused' ? each.code : each.outcome))).toEqual([
    'signed',
    'APPROVAL_INVALID',
    'signed',
  ])
})

/** Changes one bit of a signature, in the middle. */
function flipped(signature: string): string {
  const bytes = Buffer.from(signature, 'base64')
  bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40)
  return bytes.toString('base64')
}
