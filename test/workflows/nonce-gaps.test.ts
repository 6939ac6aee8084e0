/** A nonce below others whose transaction never comes must not block those above it. */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { fillNonceGaps } from '../../db/payouts/attempts/fill-nonce-gaps.js'
import { closePassed, passUnanswered } from '../../db/payouts/attempts/pass-unanswered.js'
import { readWithdrawalInput } from '../../db/payouts/read-withdrawal-input.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'

const RECIPIENT = `0x${'4'.repeat(40)}` as const
let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('200') })
  stage = rail.stage
})
afterEach(() => stage.signer.stop())
afterAll(() => rail?.close())

async function ask(amount = '1'): Promise<string> {
  const { status, json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount,
    to_address: RECIPIENT,
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'pending_signature')
  return json.data.id
}

/** Runs the sweeper’s work on gaps, and on rows without a workflow. */
async function sweep(afterMs: number): Promise<string[]> {
  const { sql } = stage.api.database
  await fillNonceGaps(sql, stage.networks, afterMs)
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM payouts WHERE kind = 'nonce_fill' AND workflow_started_at IS NULL ORDER BY created_at`
  for (const { id } of rows) {
    const input = await readWithdrawalInput(sql, stage.networks, id)
    if (input) await createWorkflowGate(rail.temporal.client.workflow).startWithdrawal(input)
    await sql`UPDATE payouts SET workflow_started_at = now() WHERE id = ${id}`
  }
  return rows.map((row) => row.id)
}

async function untilStage(id: string, stageName: string): Promise<void> {
  const { sql } = stage.api.database
  for (let look = 0; look < 800; look++) {
    const [row] = await sql<{ stage: string }[]>`SELECT stage FROM payouts WHERE id = ${id}`
    if (row?.stage === stageName) return
    await sleep(50)
  }
  const [row] = await sql`SELECT stage, waiting, failure_code, failure_message FROM payouts WHERE id = ${id}`
  throw new Error(JSON.stringify(row))
}

const nonces = async () =>
  (
    await stage.api.database.sql<{ nonce: bigint; state: string }[]>`
      SELECT nonce, state FROM nonces ORDER BY nonce`
  ).map((row) => [Number(row.nonce), row.state])

async function expectBooksToMatch(): Promise<void> {
  const hot = await stage.wallet('ethereum', 'hot')
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await rail.reader.getBalance({ address: hot.address as `0x${string}` }),
  )
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
}

test('story 1: fills the gap that a worthless answer leaves below others, so that they are mined', async () => {
  const sign = realSigner(stage)
  const worthless = await ask()
  const [request] = (await stage.signer.claim(10)).requests
  if (!request) throw new Error('claimed')
  // The signer’s journal holds the payout now; its answer is another transaction.
  const answer = await sign(request)
  if (answer.outcome !== 'signed') throw new Error(JSON.stringify(answer))
  const garbage = { ...answer, signed_transaction: '0x02c0' }
  await stage.signer.answer({ ...garbage, request_id: request.id })
  const above = await ask('2')
  stage.signer.run(sign)
  await stage.until(worthless, 'failed')
  await stage.until(above, 'confirming')
  expect(await nonces()).toEqual([
    [0, 'gap'],
    [1, 'signed'],
  ])
  // No other payout gets the nonce: the signer would refuse it.
  const next = await ask('3')
  await stage.until(next, 'confirming')
  expect(await sweep(600_000)).toEqual([])
  const [fill] = await sweep(0)
  expect(fill).toBeDefined()
  await untilStage(fill ?? '', 'confirmed')
  const cancelling = stage.signer.claimed.find(({ purpose }) => purpose === 'cancel')
  expect(cancelling?.payload).toMatchObject({ nonce: 0, value: '0' })
  expect(cancelling?.intent.withdrawal).toBe(worthless)
  await stage.until(above, 'confirmed')
  await stage.until(next, 'confirmed')
  expect(await sweep(0)).toEqual([])
  expect(await nonces()).toEqual([
    [0, 'used'],
    [1, 'used'],
    [2, 'used'],
  ])
  expect(await rail.reader.getBalance({ address: RECIPIENT })).toBe(parseEther('5'))
  const [row] = await stage.api.database.sql<
    { fee: bigint }[]
  >`SELECT fee FROM payouts WHERE id = ${fill ?? ''}`
  expect(row?.fee).toBeGreaterThan(0n)
  await expectBooksToMatch()
})

test('allocates the nonce of a refused payout to the next one first, and fills it when none comes', async () => {
  const { sql } = stage.api.database
  const sign = realSigner(stage)
  // A payout above it is in flight: the test allocates its nonce by hand, as after the loss of a row.
  const hot = await stage.wallet('ethereum', 'hot')
  const refused = await ask()
  const [request] = (await stage.signer.claim(10)).requests
  await stage.signer.answer({
    request_id: request?.id ?? '',
    outcome: 'refused',
    code: 'POLICY_LIMIT',
    message: 'not now',
  })
  await stage.until(refused, 'failed')
  expect((await nonces()).at(-1)).toEqual([3, 'free'])
  await sql`
    INSERT INTO nonces (network, address, nonce, state, payout_id) VALUES ('ethereum', ${hot.address}, 4, 'allocated', NULL)`
  const next = await ask()
  const [second] = (await stage.signer.claim(10)).requests
  expect(second?.payload).toMatchObject({ nonce: 3 })
  await stage.signer.answer({
    request_id: second?.id ?? '',
    outcome: 'refused',
    code: 'POLICY_LIMIT',
    message: 'not now',
  })
  await stage.until(next, 'failed')
  // Nothing lies above it yet, so nothing is spent on it.
  expect(await sweep(0)).toEqual([])
  await sql`DELETE FROM nonces WHERE nonce = 4`
  await sql`UPDATE nonces SET state = 'foreign' WHERE nonce = 3`
  stage.signer.run(sign)
  const above = await ask('7')
  await stage.until(above, 'confirming')
  await sql`UPDATE nonces SET state = 'free' WHERE nonce = 3`
  const [fill] = await sweep(0)
  await untilStage(fill ?? '', 'confirmed')
  await stage.until(above, 'confirmed')
  expect((await nonces()).slice(-2)).toEqual([
    [3, 'used'],
    [4, 'used'],
  ])
  await expectBooksToMatch()
})

/** Creates a payout whose request a signer claims and keeps. @returns Its id and the request. */
async function taken() {
  const id = await ask()
  const [request] = (await stage.signer.claim(10)).requests
  if (!request) throw new Error('claimed')
  await stage.api.database.sql`
    UPDATE signing_requests SET lease_until = now() + interval '1 hour' WHERE id = ${request.id}`
  return { id, request }
}

test('lets an unanswered request hold up its wallet for a time only, and ends the payout once its nonce is finally used', async () => {
  const { sql } = stage.api.database
  const { id, request: unanswered } = await taken()
  const above = await ask('2')
  stage.signer.run(realSigner(stage))
  await sleep(1_000)
  expect(await passUnanswered(sql, stage.networks, 600_000)).toBe(0)
  expect((await stage.read(above)).stage).toBe('pending_signature')
  await sql`
    UPDATE signing_requests SET first_leased_at = first_leased_at - interval '10 minutes' WHERE id = ${unanswered.id}`
  expect(await passUnanswered(sql, stage.networks, 600_000)).toBe(1)
  expect(await passUnanswered(sql, stage.networks, 600_000)).toBe(0)
  await stage.until(above, 'confirming')
  // Nothing is released while what the signer may have signed can be mined.
  expect(await closePassed(sql, stage.networks)).toEqual([])
  const [fill] = await sweep(0)
  await untilStage(fill ?? '', 'confirmed')
  await stage.until(above, 'confirmed')
  expect(await closePassed(sql, stage.networks)).toEqual([id])
  expect(await closePassed(sql, stage.networks)).toEqual([])
  const view = await stage.read(id)
  expect([view.stage, view.failure?.code]).toEqual(['failed', 'SIGNER_UNANSWERED'])
  expect(
    await sql`SELECT FROM events WHERE subject = ${id} AND data ->> 'detail' = 'signing_request.unanswered'`,
  ).toHaveLength(1)
  await expectBooksToMatch()
})

test('passes a request at once on an operator’s order, and pays if the answer comes before the gap is filled', async () => {
  const { sql } = stage.api.database
  const before = await rail.reader.getBalance({ address: RECIPIENT })
  const { id, request } = await taken()
  const above = await ask('2')
  const marked = await stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${id}/mark-for-investigation`,
    key: stage.people[1].key,
    body: { reason: 'the signer hangs on it' },
  })
  expect(marked.status, JSON.stringify(marked.json)).toBe(200)
  expect(await passUnanswered(sql, stage.networks, 600_000)).toBe(1)
  const sign = realSigner(stage)
  stage.signer.run(sign)
  await stage.until(above, 'confirming')
  const gap = (await nonces()).findLast(([, state]) => state === 'gap')
  expect(gap?.[0]).toBe((request.payload as { nonce: number }).nonce)
  await stage.signer.answer({ ...(await sign(request)), request_id: request.id } as never)
  await stage.until(id, 'confirmed')
  await stage.until(above, 'confirmed')
  expect(await sweep(0)).toEqual([])
  expect(await rail.reader.getBalance({ address: RECIPIENT })).toBe(before + parseEther('3'))
  await expectBooksToMatch()
})

test('passes an unanswered fill like any other request, and fills the gap with another one at a higher fee', async () => {
  const { sql } = stage.api.database
  const backdate = (id: string) =>
    sql`UPDATE signing_requests SET first_leased_at = first_leased_at - interval '10 minutes' WHERE id = ${id}`
  const sign = realSigner(stage)
  const { id, request } = await taken()
  const above = await ask('2')
  await backdate(request.id)
  expect(await passUnanswered(sql, stage.networks, 600_000)).toBe(1)
  stage.signer.run(sign)
  await stage.until(above, 'confirming')
  await stage.signer.stop()
  const [first] = await sweep(0)
  await untilStage(first ?? '', 'pending_signature')
  const [unanswered] = (await stage.signer.claim(10)).requests
  if (!unanswered) throw new Error('claimed')
  await sql`UPDATE signing_requests SET lease_until = now() + interval '1 hour' WHERE id = ${unanswered.id}`
  await backdate(unanswered.id)
  expect(await passUnanswered(sql, stage.networks, 600_000)).toBe(1)
  const [second] = await sweep(0)
  await untilStage(second ?? '', 'pending_signature')
  stage.signer.run(sign)
  await untilStage(second ?? '', 'confirming')
  // The first fill is answered late. Neither has recipients, and at most one of them is ever mined.
  await stage.signer.answer({ ...(await sign(unanswered)), request_id: unanswered.id } as never)
  await untilStage(second ?? '', 'confirmed')
  await untilStage(first ?? '', 'failed')
  await stage.until(above, 'confirmed')
  expect(await closePassed(sql, stage.networks)).toEqual([id])
  const prices = await sql<{ price: string }[]>`
    SELECT payload ->> 'max_fee_per_gas' AS price FROM attempts WHERE payout_id = ANY (${[first ?? '', second ?? '']})
    ORDER BY payout_id`
  expect(BigInt(prices[1]?.price ?? 0)).toBeGreaterThan(BigInt(prices[0]?.price ?? 0))
  await expectBooksToMatch()
})

test('frees the other wallets although one request cannot be passed', async () => {
  const { sql } = stage.api.database
  const { id: bad, request } = await taken()
  const good = await ask('2')
  await sql`
    UPDATE signing_requests SET state = 'leased', signer_id = taken.signer_id,
      first_leased_at = now() - interval '1 hour', lease_until = now() + interval '1 hour'
    FROM signing_requests taken WHERE signing_requests.payout_id = ${good} AND taken.id = ${request.id}`
  await sql`
    WITH given AS (
      INSERT INTO nonces (network, address, nonce, state, payout_id)
      SELECT network, address, nonce + 1, 'allocated', ${good} FROM nonces WHERE payout_id = ${bad} RETURNING nonce)
    UPDATE attempts SET nonce = given.nonce FROM given WHERE payout_id = ${good}`
  await sql`UPDATE signing_requests SET first_leased_at = now() - interval '2 hours' WHERE id = ${request.id}`
  await sql.unsafe(`
    CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.payout_id = '${bad}' THEN RAISE EXCEPTION 'this one cannot be passed'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_one BEFORE UPDATE ON nonces FOR EACH ROW EXECUTE FUNCTION refuse_one()`)
  await expect(passUnanswered(sql, stage.networks, 600_000)).rejects.toThrow('cannot be passed')
  const states = await sql`
    SELECT last_payout_id FROM nonces WHERE last_payout_id = ANY (${[bad, good]}) AND state = 'gap'`
  expect(states).toEqual([{ last_payout_id: good }])
  await sql.unsafe('DROP TRIGGER refuse_one ON nonces')
  expect(await passUnanswered(sql, stage.networks, 600_000)).toBe(1)
})
