/** Several answers in one request of a signer. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { observeChainNonce } from '../../../db/payouts/attempts/allocate-nonce.js'
import { queueRequest } from '../../stage/queue-request.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const POSITION = { journal_head: '0'.repeat(64), journal_sequence: 0 }
let stage: Stage

beforeAll(async () => {
  stage = await startStage({ networks: testNetworks({ ETHEREUM_ENABLED: 'true' }) })
  await stage.credit('ethereum', 'eth', '', 10n ** 22n)
  const { address } = await stage.wallet('ethereum', 'hot')
  await stage.api.database.sql.begin((tx) => observeChainNonce(tx, 'ethereum', address, 0))
})
afterAll(() => stage?.close())

const post = (body: unknown) => stage.signer.send('/signer/v1/answers', body)
const claim = async (fields: object = {}) =>
  (await stage.signer.send('/signer/v1/claim', { ...POSITION, wait_seconds: 0, ...fields })).json.data
const refusal = (id: string) => ({
  request_id: id,
  outcome: 'refused',
  code: 'POLICY_LIMIT',
  message: 'too much',
})

test('offers runs to every signer, and hands one out to a signer that asks for it', async () => {
  for (let index = 0; index < 3; index++) await queueRequest(stage, 'ethereum')
  expect(await claim()).toMatchObject({ runs: true, requests: [{ payload: { nonce: 0 } }] })
  await stage.api.database.sql`UPDATE signing_requests SET lease_until = now() - interval '1 second'`
  const { requests } = await claim({ runs: true })
  expect(requests.map(({ payload }: { payload: { nonce: number } }) => payload.nonce)).toEqual([0, 1, 2])
  expect(
    (await stage.signer.send('/signer/v1/claim', { ...POSITION, wait_seconds: 0, runs: false })).status,
  ).toBe(400)
  const [first, second, third] = requests
  const answers = [
    refusal(first.id),
    refusal('srq_unknown'),
    { request_id: second.id, outcome: 'undecided', run: second.run },
    { request_id: third.id, outcome: 'undecided', run: third.run },
  ]
  const stored = await post({ ...POSITION, answers })
  expect([stored.status, stored.json.data]).toEqual([
    200,
    {
      answers: [
        { request_id: first.id, replayed: false },
        { request_id: 'srq_unknown', error: { code: 'NOT_FOUND', message: expect.any(String) } },
        { request_id: second.id, replayed: false },
        { request_id: third.id, replayed: false },
      ],
    },
  ])
  const again = await post({ ...POSITION, answers })
  expect(again.json.data.answers.map(({ replayed }: { replayed?: boolean }) => replayed)).toEqual([
    true,
    undefined,
    true,
    true,
  ])
  expect((await claim({ runs: true })).requests).toMatchObject([
    { id: second.id, payload: { nonce: 0 } },
    { id: third.id, payload: { nonce: 1 } },
  ])
})

test.each([
  ['no answers', { answers: [] }],
  ['more answers than one request may have', { answers: Array.from({ length: 33 }, () => refusal('srq_x')) }],
  ['a field that it does not know', { answers: [{ ...refusal('srq_x'), why: 'x' }] }],
  ['a position in each answer', { answers: [{ ...refusal('srq_x'), ...POSITION }] }],
  ['a request that is given back without its run', { answers: [{ request_id: 'x', outcome: 'undecided' }] }],
  ['a request that is given back alone', { request_id: 'x', outcome: 'undecided', run: 'run_x' }],
  ['one answer with a field that it does not know', { ...refusal('srq_x'), why: 'x' }],
])('refuses %s', async (_what, body) => {
  const { status, json } = await post({ ...POSITION, ...body })
  expect([status, json.error.code]).toEqual([400, 'VALIDATION_FAILED'])
})
