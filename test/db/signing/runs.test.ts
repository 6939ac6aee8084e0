/** Runs: requests of one account with ascending nonces that a signer claims together. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { observeChainNonce } from '../../../db/payouts/attempts/allocate-nonce.js'
import { passUnanswered } from '../../../db/payouts/attempts/pass-unanswered.js'
import { answerRequests } from '../../../db/signing/answer-request.js'
import { claimRequests } from '../../../db/signing/claim-requests.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { GivenBack, PlainAnswer, SigningRequest } from '../../../domain/signing/signer-protocol.js'
import { queueRequest } from '../../stage/queue-request.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const HOUR_MS = 3_600_000
let stage: Stage
let address: string
let base = 0

beforeAll(async () => {
  stage = await startStage({
    networks: testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' }),
  })
  await stage.credit('ethereum', 'eth', '', 10n ** 22n)
  await stage.credit('bitcoin', 'btc', '', 10n ** 12n)
  ;({ address } = await stage.wallet('ethereum', 'hot'))
})
// Each test has the account for itself, from a nonce of its own on.
beforeEach(async () => {
  const { sql } = stage.api.database
  await sql`UPDATE signing_requests SET state = 'withdrawn'`
  await sql`DELETE FROM nonces`
  base += 100
  await sql.begin((tx) => observeChainNonce(tx, 'ethereum', address, base))
})
afterAll(() => stage?.close())

const queue = (options?: Parameters<typeof queueRequest>[2]) => queueRequest(stage, 'ethereum', options)
const claim = (runs = true) => claimRequests(stage.api.database.sql, stage.signer.signerId, HOUR_MS, runs)
const endLeases = () =>
  stage.api.database.sql`
    UPDATE signing_requests SET lease_until = now() - interval '1 second' WHERE state = 'leased'`

async function queueMany(count: number): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++) ids.push(await queue({ minutesAgo: 60 - index }))
  return ids
}

async function answer(...answers: (PlainAnswer | GivenBack)[]) {
  const signer = { id: stage.signer.signerId, merchantId: stage.api.merchantId }
  const { verdicts } = await answerRequests(stage.api.database.sql, signer, answers, {
    journal_head: '0'.repeat(64),
    journal_sequence: 0,
  })
  return verdicts.map((verdict) => (verdict instanceof KeyturnError ? verdict.code : verdict.replayed))
}
const signed = ({ id }: SigningRequest): PlainAnswer => ({
  request_id: id,
  outcome: 'signed',
  signed_transaction: '0x02',
  transaction_hash: `0x${'0'.repeat(64)}`,
})
const refused = ({ id }: SigningRequest): PlainAnswer => ({
  request_id: id,
  outcome: 'refused',
  code: 'POLICY_LIMIT',
  message: 'too much',
})
const undecided = ({ id, run = '' }: SigningRequest): GivenBack => ({
  request_id: id,
  outcome: 'undecided',
  run,
})

/** Shows requests as the payout and the nonce above the test's first one. */
const shown = (requests: readonly SigningRequest[]) =>
  requests.map(({ intent, payload }) => [intent.withdrawal, 'nonce' in payload ? payload.nonce - base : null])
const at = (requests: readonly SigningRequest[], index: number): SigningRequest => {
  const request = requests[index]
  if (!request) throw new Error(`There is no request ${index}`)
  return request
}

test('hands out a run of ascending nonces, and nothing more of the account before all of it is answered', async () => {
  const ids = await queueMany(4)
  const run = await claim()
  expect(shown(run)).toEqual(ids.map((id, index) => [id, index]))
  expect(new Set(run.map((request) => request.run)).size).toBe(1)
  const later = await queue()
  expect(await claim()).toEqual([])
  await answer(signed(at(run, 0)), signed(at(run, 1)), signed(at(run, 3)))
  expect(await claim()).toEqual([])
  await answer(signed(at(run, 2)))
  expect(shown(await claim())).toEqual([[later, 4]])
})

test('hands out one request at a time to a signer that does not ask for runs', async () => {
  const [first = '', second = ''] = await queueMany(2)
  const alone = await claim(false)
  expect(shown(alone)).toEqual([[first, 0]])
  expect(at(alone, 0)).not.toHaveProperty('run')
  expect(await claim(false)).toEqual([])
  await answer(signed(at(alone, 0)))
  expect(shown(await claim(false))).toEqual([[second, 1]])
})

test('keeps as many in flight as a node keeps, and lets no other wallet wait behind what has no nonce', async () => {
  const ids = await queueMany(40)
  const bitcoin = await queueRequest(stage, 'bitcoin', { priority: 'low' })
  const run = await claim()
  expect(shown(run)).toEqual([...ids.slice(0, 16).map((id, index) => [id, index]), [bitcoin, null]])
  await answer(...run.map(signed))
  const next = await queueRequest(stage, 'bitcoin', { priority: 'low' })
  expect(shown(await claim())).toEqual([[next, null]])
})

test('queues what a signer gives back again, with the nonces from the refused one on', async () => {
  const [a = '', b = '', c = '', d = ''] = await queueMany(4)
  const run = await claim()
  expect(
    await answer(signed(at(run, 0)), refused(at(run, 1)), undecided(at(run, 2)), undecided(at(run, 3))),
  ).toEqual([false, false, false, false])
  const rest = await claim()
  expect(shown(run)).toEqual([
    [a, 0],
    [b, 1],
    [c, 2],
    [d, 3],
  ])
  expect(shown(rest)).toEqual([
    [c, 1],
    [d, 2],
  ])
  expect(at(rest, 0).run).not.toBe(at(run, 0).run)
})

test('takes the answers of a run in any order, twice, and each with its own verdict', async () => {
  await queueMany(4)
  const run = await claim()
  const [first, second, third, fourth] = [0, 1, 2, 3].map((index) => at(run, index)) as [
    SigningRequest,
    SigningRequest,
    SigningRequest,
    SigningRequest,
  ]
  const unknown = { ...refused(first), request_id: 'srq_unknown' }
  expect(
    await answer(undecided(fourth), undecided(third), unknown, refused(second), signed(first), signed(first)),
  ).toEqual([false, false, 'NOT_FOUND', false, false, true])
  expect(await answer(signed(second), refused(second), undecided(second), undecided(third))).toEqual([
    'INVALID_STATE',
    true,
    true,
    true,
  ])
  expect(shown(await claim()).map(([, nonce]) => nonce)).toEqual([1, 2])
})

test('ignores that a request was given back when it has been handed out again since', async () => {
  await queueMany(2)
  const run = await claim()
  await answer(refused(at(run, 0)), undecided(at(run, 1)))
  const again = await claim()
  expect(await answer(undecided(at(run, 1)))).toEqual([true])
  expect(await claim()).toEqual([])
  expect(await answer(signed(at(again, 0)))).toEqual([false])
})

test('hands out a run that was not answered again as one run, lowest nonce first, before anything newer', async () => {
  const ids = await queueMany(3)
  const run = await claim()
  const urgent = await queue({ priority: 'urgent', minutesAgo: 600 })
  await endLeases()
  const again = await claim()
  expect(shown(again)).toEqual([...ids.map((id, index) => [id, index]), [urgent, 3]])
  expect(new Set(again.map((request) => request.run)).size).toBe(1)
  expect(at(again, 0).run).not.toBe(at(run, 0).run)
  // A signer without runs gets them one by one, in the same order.
  await endLeases()
  for (const index of [0, 1, 2, 3]) {
    const alone = await claim(false)
    expect(shown(alone).map(([, nonce]) => nonce)).toEqual([index])
    await answer(signed(at(alone, 0)))
  }
})

test('hands out nothing above a nonce that is still at the signer', async () => {
  const ids = await queueMany(3)
  const run = await claim()
  const { sql } = stage.api.database
  await sql`
    UPDATE signing_requests SET lease_until = now() - interval '1 second'
    WHERE id = ANY (${[at(run, 1).id, at(run, 2).id]})`
  expect(await claim()).toEqual([])
  await answer(signed(at(run, 0)))
  expect(shown(await claim())).toEqual([
    [ids[1], 1],
    [ids[2], 2],
  ])
})

test('hands out nothing behind a request that another transaction works on', async () => {
  const { sql } = stage.api.database
  const ids = await queueMany(3)
  const [first] = ids
  await sql.begin(async (tx) => {
    await tx`SELECT FROM signing_requests WHERE payout_id = ${first ?? ''} FOR UPDATE`
    expect(await claim()).toEqual([])
  })
  expect(shown(await claim())).toEqual(ids.map((id, index) => [id, index]))
})

test('leaves out a payout under investigation, and gives its nonce to the next one', async () => {
  const { sql } = stage.api.database
  const [a = '', b = '', c = ''] = await queueMany(3)
  await sql`UPDATE payouts SET investigation = '{}' WHERE id = ${b}`
  expect(shown(await claim())).toEqual([
    [a, 0],
    [c, 1],
  ])
})

test('passes the lowest nonce of an unanswered run alone, and hands out those above it again', async () => {
  const { sql } = stage.api.database
  const [a = '', b = '', c = ''] = await queueMany(3)
  const run = await claim()
  await sql`UPDATE signers SET online = true, stopped = NULL`
  await sql`UPDATE signing_requests SET first_leased_at = now() - interval '1 hour' WHERE state = 'leased'`
  expect(await passUnanswered(sql, stage.networks, 60_000)).toBe(1)
  await endLeases()
  const again = await claim()
  expect(shown(again)).toEqual([
    [a, 0],
    [b, 1],
    [c, 2],
  ])
  // The one that was passed is no part of the run any more: it may be answered or not.
  expect(again.map((request) => request.run !== undefined)).toEqual([false, true, true])
  // Nor does it get another nonce, because a cancellation of it may fill its nonce.
  expect(await answer(undecided(at(run, 0)))).toEqual([true])
  const nonces = await sql`SELECT nonce::int - ${base}::int AS nonce, state FROM nonces ORDER BY nonce`
  expect(nonces.map(({ nonce, state }) => [nonce, state])).toEqual([
    [0, 'gap'],
    [1, 'allocated'],
    [2, 'allocated'],
  ])
})

test('gives two claims at once no nonce twice and no second run', async () => {
  await queueMany(6)
  const claims = await Promise.all([claim(), claim(), claim()])
  const nonces = claims.flat().map(({ payload }) => ('nonce' in payload ? payload.nonce - base : null))
  expect([...nonces].sort()).toEqual(nonces.map((_, index) => index))
  expect(new Set(claims.flat().map((request) => request.run)).size).toBe(1)
})
