/**
 * Runs between a platform and a signer of which either dies at any step: claim, decision, answer. The real
 * parts of both decide; what is lost between them is what a test takes away.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { takeAnswer } from '../../../activities/payouts/withdrawal/take-answer.js'
import { observeChainNonce } from '../../../db/payouts/attempts/allocate-nonce.js'
import { answerRequests } from '../../../db/signing/answer-request.js'
import { claimRequests } from '../../../db/signing/claim-requests.js'
import type { GivenBack, PlainAnswer, SigningRequest } from '../../../domain/signing/signer-protocol.js'
import { decideAll } from '../../../signer/decide.js'
import { Journal } from '../../../signer/journal/journal.js'
import { openMemoryStore } from '../../../signer/journal/journal-store.js'
import { queueRequest } from '../../stage/queue-request.js'
import { realSignerState } from '../../stage/real-signer.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'
import { createRandom } from '../random.js'

type Answer = PlainAnswer | GivenBack

/** A price above what the signer's policy allows, so that it refuses. */
const TOO_MUCH = '999000000000000'
const PRICE = 1_000_000_000n
let stage: Stage
let made = 0
let wallet: { id: string; address: string; path: string }

beforeAll(async () => {
  stage = await startStage({ networks: testNetworks({ ETHEREUM_ENABLED: 'true' }) })
  await stage.credit('ethereum', 'eth', '', 10n ** 23n)
  const { sql } = stage.api.database
  const hot = await stage.wallet('ethereum', 'hot')
  const [row] = await sql<
    { path: string }[]
  >`SELECT derivation_path AS path FROM addresses WHERE id = ${hot.id}`
  wallet = { ...hot, path: row?.path ?? '' }
  await sql.begin((tx) => observeChainNonce(tx, 'ethereum', wallet.address, 0))
})
afterAll(() => stage?.close())

/** Queues a payout that two people approved. @param isRefused - Whether the signer's policy forbids it. */
function queue(isRefused = false): Promise<string> {
  return queueRequest(stage, 'ethereum', {
    approve: true,
    payload: {
      network: 'ethereum',
      chain_id: 31_337,
      derivation_path: wallet.path,
      to: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
      value: (5n * 10n ** 17n).toString(),
      data: '0x',
      gas: '21000',
      // Each has another price, so that no two transactions are the same.
      max_fee_per_gas: isRefused ? TOO_MUCH : (PRICE + BigInt(++made)).toString(),
      max_priority_fee_per_gas: '1',
    },
  })
}

/** Opens a world of its own: a signer with an empty journal, and an account without nonces. */
async function openWorld() {
  const { sql } = stage.api.database
  const signer = { id: stage.signer.signerId, merchantId: stage.api.merchantId }
  const dependencies = { sql, networks: stage.networks, adapters: stage.adapters }
  await sql`UPDATE signing_requests SET state = 'withdrawn'`
  await sql`UPDATE attempts SET state = 'replaced' WHERE state IN ('built', 'signed')`
  await sql`DELETE FROM nonces`
  const store = openMemoryStore()
  const state = { ...realSignerState(stage), journal: new Journal(store) }

  const world = {
    store,
    claim: (runs = true): Promise<SigningRequest[]> => claimRequests(sql, signer.id, 60_000, runs),
    /** Decides as the signer does. */
    decide(requests: readonly SigningRequest[]): Answer[] {
      return decideAll(requests, { ...state, journal: new Journal(store) }).flatMap((decision): Answer[] => {
        const { requestId: request_id, outcome } = decision
        if (outcome === 'undecided') return [{ request_id, outcome, run: decision.run }]
        if (outcome === 'refused') {
          const { code, message, decidedBefore, passing } = decision
          return decidedBefore || passing ? [] : [{ request_id, outcome, code, message }]
        }
        const { signedTransaction: signed_transaction, transactionHash: transaction_hash } = decision
        return [{ request_id, outcome, signed_transaction, transaction_hash }]
      })
    },
    async answer(answers: readonly Answer[]): Promise<void> {
      if (answers.length === 0) return
      const position = { journal_head: '0'.repeat(64), journal_sequence: 0 }
      const { payoutIds } = await answerRequests(sql, signer, answers, position)
      // The workflows act on the answers.
      for (const id of payoutIds) await takeAnswer(dependencies, id)
    },
    endLeases: () =>
      sql`UPDATE signing_requests SET lease_until = now() - interval '1 second' WHERE state = 'leased'`,
    /** Returns the nonces in the journal. */
    signed(): number[] {
      const { records } = new Journal(store)
      const from = wallet.address.toLowerCase()
      const highest = records.highestNonce(31_337, from) ?? -1
      const all = Array.from({ length: highest + 1 }, (_, nonce) => nonce)
      return all.filter((nonce) => records.nonceOwner(31_337, from, nonce))
    },
    requireNoGap() {
      const signed = world.signed()
      expect(signed).toEqual(signed.map((_, index) => index))
    },
    async stages(ids: readonly string[]): Promise<string[]> {
      const rows = await sql<{ id: string; stage: string }[]>`
        SELECT id, stage FROM payouts WHERE id = ANY (${[...ids]})`
      const stages = new Map(rows.map((row) => [row.id, row.stage]))
      return ids.map((id) => stages.get(id) ?? '')
    },
    /** Claims, decides and answers until nothing is left. */
    async drain(): Promise<void> {
      for (;;) {
        await world.endLeases()
        const requests = await world.claim()
        if (requests.length === 0) return
        await world.answer(world.decide(requests))
        world.requireNoGap()
      }
    },
  }
  return world
}

/** Queues payouts of which the signer refuses those at the places. */
async function queueMany(count: number, refused: readonly number[] = []): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++) ids.push(await queue(refused.includes(index)))
  return ids
}

const expected = (count: number, refused: readonly number[]) =>
  Array.from({ length: count }, (_, index) => (refused.includes(index) ? 'failed' : 'signed'))

describe('a run of five, of which the signer refuses the third', () => {
  const REFUSED = [2]
  const stories: Record<string, (world: Awaited<ReturnType<typeof openWorld>>) => Promise<void>> = {
    'the platform dies after the claim': async (world) => void (await world.claim()),
    'the signer dies after it decided on the first two': async (world) => {
      world.decide((await world.claim()).slice(0, 2))
    },
    'the answers are lost': async (world) => {
      world.decide(await world.claim())
    },
    'the answers arrive twice': async (world) => {
      const answers = world.decide(await world.claim())
      await world.answer(answers)
      await world.answer(answers)
    },
    'the answers arrive again after the next run was claimed': async (world) => {
      const answers = world.decide(await world.claim())
      await world.answer(answers)
      const next = await world.claim()
      await world.answer(answers)
      await world.answer(world.decide(next))
    },
    'the answers arrive once the lease is over and the run was claimed again': async (world) => {
      const answers = world.decide(await world.claim())
      await world.endLeases()
      const again = await world.claim()
      await world.answer(answers)
      await world.answer(world.decide(again))
    },
    'the answers arrive in another order': async (world) => {
      await world.answer([...world.decide(await world.claim())].reverse())
    },
  }

  test.each(Object.entries(stories))('%s', async (_name, story) => {
    const world = await openWorld()
    const ids = await queueMany(5, REFUSED)
    await story(world)
    world.requireNoGap()
    await world.drain()
    expect(await world.stages(ids)).toEqual(expected(5, REFUSED))
    expect(world.signed()).toEqual([0, 1, 2, 3])
  })
})

test('a run whose signer is replaced by one that knows no runs is decided one by one, in its order', async () => {
  const world = await openWorld()
  const ids = await queueMany(4)
  world.decide((await world.claim()).slice(0, 2))
  await world.endLeases()
  for (let step = 0; step < 4; step++) {
    const requests = await world.claim(false)
    expect(requests).toHaveLength(1)
    await world.answer(world.decide(requests))
    world.requireNoGap()
  }
  expect(await world.stages(ids)).toEqual(expected(4, []))
})

test.each([1, 2, 3, 4, 5, 6])('any order of claims, deaths, losses and repetitions (%i)', async (seed) => {
  const random = createRandom(seed)
  const world = await openWorld()
  const refused: number[] = []
  const ids: string[] = []
  const late: Answer[][] = []
  let held: SigningRequest[] = []
  for (let step = 0; step < 40; step++) {
    const act = random.between(0, 7)
    if (act <= 1 && ids.length < 12) {
      const isRefused = random.between(1, 10) <= 3
      if (isRefused) refused.push(ids.length)
      ids.push(await queue(isRefused))
    } else if (act <= 3) {
      const claimed = await world.claim()
      if (claimed.length > 0) held = claimed
    } else if (act === 4) await world.endLeases()
    // The signer dies after some of them, or before it answers.
    else if (act === 5) world.decide(held.slice(0, random.between(0, held.length)))
    else if (act === 6) {
      const answers = world.decide(held)
      if (random.between(1, 10) <= 4) late.push(answers)
      else await world.answer(answers)
    } else await world.answer(late[random.between(0, late.length)] ?? [])
    world.requireNoGap()
  }
  await world.drain()
  expect(await world.stages(ids)).toEqual(expected(ids.length, refused))
  expect(world.signed()).toHaveLength(ids.length - refused.length)
})
