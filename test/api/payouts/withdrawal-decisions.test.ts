/** Decisions about withdrawals: each answer says what was done, and the server enforces the four eyes. */

import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApprover } from '../../../db/merchants/create-approver.js'
import { WITHDRAWAL_STAGES } from '../../../domain/payouts/withdrawal-stage.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks: testNetworks({ ETHEREUM_ENABLED: 'true' }) })
  await stage.credit('ethereum', 'eth', '', 10n ** 23n)
})
afterAll(() => stage?.close())

async function ask(): Promise<string> {
  const { status, json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data.id
}
/** Reads every row that a decision could have changed. */
async function everything(id: string): Promise<unknown> {
  const { sql } = stage.api.database
  return {
    row: await sql`SELECT * FROM payouts WHERE id = ${id} OR retry_of = ${id}`,
    journals: await sql`SELECT id FROM ledger_journals WHERE reference = ${id}`,
    events: await sql`SELECT id FROM events WHERE subject = ${id}`,
    audit: await sql`SELECT position FROM audit_log WHERE subject = ${id}`,
    approvals: await sql`SELECT id FROM approvals WHERE subject_id = ${id}`,
  }
}

const DECISIONS: readonly (readonly [method: string, path: string, body: unknown])[] = [
  ['DELETE', '', undefined],
  ['POST', '/retry', {}],
  ['POST', '/retry', { priority: 'urgent' }],
  ['POST', '/refund', { reason: 'x' }],
  ['POST', '/review', { decision: 'approve', reason: 'x' }],
  ['POST', '/speed-up', {}],
  ['POST', '/cancel-transaction', { reason: 'x' }],
  ['POST', '/clear-investigation', { reason: 'x' }],
]

test.each(DECISIONS)(
  'story 9: answers %s …%s as it was done, in every stage: a refusal changes nothing, a success is what the row shows',
  async (method, path, body) => {
    const { sql } = stage.api.database
    let refused = 0
    for (const [index, at] of WITHDRAWAL_STAGES.entries()) {
      const id = await ask()
      await sql`UPDATE payouts SET stage = ${at} WHERE id = ${id}`
      const before = await everything(id)
      const answer = await stage.api.call({
        method,
        path: `/api/v1/withdrawals/${id}${path}`,
        ...(body === undefined ? {} : { body }),
        key: stage.people[1 + (index % 2)]?.key ?? stage.people[1].key,
      })
      if (answer.status >= 400) {
        refused++
        expect([answer.status, answer.json.success]).toEqual([409, false])
        expect(await everything(id), `${at} after a refusal`).toEqual(before)
      } else {
        expect(await stage.read(answer.json.data.id)).toEqual(answer.json.data)
        expect(await everything(id), `${at} after a success`).not.toEqual(before)
      }
    }
    expect(refused).toBeGreaterThan(0)
  },
)

test('story 6: makes one withdrawal when many people retry at once', async () => {
  const { sql } = stage.api.database
  const id = await ask()
  await sql`UPDATE payouts SET stage = 'failed' WHERE id = ${id}`
  const answers = await Promise.all(
    Array.from({ length: 10 }, () =>
      stage.api.call({
        method: 'POST',
        path: `/api/v1/withdrawals/${id}/retry`,
        body: {},
        key: stage.people[0].key,
      }),
    ),
  )
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, ...Array(9).fill(409)])
  expect(await sql`SELECT id FROM payouts WHERE retry_of = ${id}`).toHaveLength(1)
})

test('story 14: counts neither the initiator, nor a second key of one person, nor another hash, nor silence', async () => {
  const { sql } = stage.api.database
  const id = await ask()
  const [initiator, first, second] = stage.people
  const code = async (answer: ReturnType<Stage['decide']>) => (await answer).json.error?.code
  expect(await code(stage.decide(id, initiator))).toBe('INITIATOR_CANNOT_APPROVE')
  expect(await code(stage.decide(id, first, 'approve', { intent_hash: '0'.repeat(64) }))).toBe(
    'INTENT_HASH_MISMATCH',
  )
  // A signature of another person, or of another hash, is not a signature of this decision.
  expect(
    await code(stage.decide(id, first, 'approve', { signature: Buffer.alloc(64).toString('base64') })),
  ).toBe('INVALID_APPROVAL_SIGNATURE')
  // A person's key cannot sign for another person.
  expect(await code(stage.decide(id, { ...second, key: first.key }))).toBe('INVALID_APPROVAL_SIGNATURE')
  expect((await stage.decide(id, first)).status).toBe(201)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const approverId = await createApprover(sql, {
    merchantId: stage.api.merchantId,
    personId: first.id,
    ed25519PublicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
  })
  expect(await code(stage.decide(id, { ...first, approverId, privateKey }))).toBe('ALREADY_DECIDED')
  const { advanceWithdrawal } = await import('../../../db/payouts/advance-withdrawal.js')
  await advanceWithdrawal(sql, stage.networks, id, new Date())
  await advanceWithdrawal(sql, stage.networks, id, new Date())
  expect((await stage.read(id)).stage).toBe('pending_approval')
  expect((await stage.decide(id, second)).status).toBe(201)
  await advanceWithdrawal(sql, stage.networks, id, new Date())
  expect((await stage.read(id)).stage).toBe('approved')
})
