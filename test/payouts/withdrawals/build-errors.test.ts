/** Builds that fail, hang or name an address that cannot be paid. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Psbt } from 'bitcoinjs-lib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import type { WithdrawalChainDependencies } from '../../../activities/payouts/withdrawal/dependencies.js'
import { createWithdrawalChainActivities } from '../../../activities/payouts/withdrawal-chain.js'
import type { EvmBuildRequest, UtxoBuildRequest } from '../../../chains/adapter.js'
import { watchWithdrawals } from '../../../db/operations/alerts/watch-withdrawals.js'
import { advanceBatch } from '../../../db/payouts/batches/advance-batch.js'
import { KeyturnError } from '../../../domain/errors.js'
import { BTC } from '../../stage/open-bitcoin.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

/** A P2TR address whose key, x = 5, is not on the curve. An older release accepted such addresses. */
const OFF_CURVE = 'bcrt1pqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqzssr24l3'
const STRANGER = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
const EVM_STRANGER = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const networks = testNetworks({ BITCOIN_ENABLED: 'true', ETHEREUM_ENABLED: 'true' })
let stage: Stage
let dependencies: WithdrawalChainDependencies
/** Action before each build, while it is set. Most of them throw. */
let trouble: ((request: UtxoBuildRequest | EvmBuildRequest) => Promise<void>) | null = null

beforeAll(async () => {
  const rail = await openPaperRail({
    networks,
    feeRate: 5,
    outputs: Array.from({ length: 20 }, () => BTC),
    wei: 10n ** 20n,
    beforeBuild: async (request) => trouble?.(request),
  })
  stage = rail.stage
  dependencies = { ...rail.dependencies, stepLimitMs: 1_000 }
})
beforeEach(() => {
  trouble = null
})
afterAll(() => stage?.close())

/** Creates a withdrawal that two people approved. */
async function approved(network: 'bitcoin' | 'ethereum'): Promise<string> {
  const { sql } = stage.api.database
  const { json } = await stage.create({
    network,
    coin: network === 'bitcoin' ? 'btc' : 'eth',
    amount: '0.1',
    to_address: network === 'bitcoin' ? STRANGER : EVM_STRANGER,
  })
  await sql`UPDATE payouts SET stage = 'approved' WHERE id = ${json.data.id}`
  return json.data.id
}
const read = async (id: string) => {
  const [row] = await stage.api.database.sql`SELECT * FROM payouts WHERE id = ${id}`
  if (!row) throw new Error('gone')
  return row
}
const alerts = async (id: string) =>
  (
    await stage.api.database.sql<{ kind: string }[]>`
      SELECT kind FROM alerts WHERE subject = ${id} AND cleared_at IS NULL`
  ).map(({ kind }) => kind)
const watch = () =>
  watchWithdrawals(
    stage.api.database.sql,
    networks,
    { large: new Map(), failures: 100, stuckFactor: 100, unusualScore: 101 },
    [],
  )

test('ends a payout to an address that was accepted earlier and can never be paid, and releases its hold', async () => {
  const before = await stage.balance('bitcoin', 'btc', 'reserved', '')
  const id = await approved('bitcoin')
  await stage.api.database.sql`UPDATE payouts SET to_address = ${OFF_CURVE} WHERE id = ${id}`
  await buildWithdrawal(dependencies, id)
  expect(await read(id)).toMatchObject({ stage: 'failed', failure_code: 'INVALID_ADDRESS' })
  expect(await stage.balance('bitcoin', 'btc', 'reserved', '')).toBe(before)
})

test('lets builders of one wallet take turns, however long the queue is', async () => {
  const ids = await Promise.all(Array.from({ length: 5 }, () => approved('bitcoin')))
  let running = 0
  let most = 0
  trouble = async () => {
    running++
    most = Math.max(most, running)
    await sleep(3_000)
    running--
  }
  const steps = await Promise.all(ids.map((id) => buildWithdrawal(dependencies, id)))
  expect(steps).toEqual(ids.map(() => ({ kind: 'done' })))
  expect(most).toBe(1)
})

test('lets a builder that hangs stop its wallet only for the time of a turn', async () => {
  const [hung, next] = [await approved('bitcoin'), await approved('bitcoin')]
  let release = () => {}
  trouble = () => {
    trouble = null
    return new Promise((resolve) => {
      release = resolve
    })
  }
  const first = buildWithdrawal(dependencies, hung)
  while (trouble) await sleep(10)
  expect(await buildWithdrawal(dependencies, next)).toEqual({ kind: 'done' })
  release()
  await first
})

test('takes a row that can never be paid out of a batch, and pays the good rows', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.createBatch({
    batch_withdrawal: {
      network: 'bitcoin',
      coin: 'btc',
      outputs: [1, 2, 3].map((each) => ({ to_address: STRANGER, amount: `0.${each}` })),
    },
  })
  await stage.approve(json.data.id)
  await advanceBatch(sql, networks, json.data.id, new Date())
  const [part] = await sql<{ id: string }[]>`SELECT id FROM payouts WHERE batch_id = ${json.data.id}`
  const id = part?.id ?? ''
  await sql`UPDATE payouts SET outputs = jsonb_set(outputs, '{1,address}', ${sql.json(OFF_CURVE)}) WHERE id = ${id}`
  await buildWithdrawal(dependencies, id)
  await buildWithdrawal(dependencies, id)
  const view = await stage.readBatch(json.data.id)
  expect(view.items.map((item) => item.failure?.code ?? null)).toEqual([null, 'INVALID_ADDRESS', null])
  const [attempt] = await sql<{ payload: { psbt: string } }[]>`
    SELECT payload FROM attempts WHERE payout_id = ${id}`
  const outputs = Psbt.fromBase64(attempt?.payload.psbt ?? '').txOutputs.map((output) => Number(output.value))
  expect(outputs.slice(0, 2)).toEqual([10_000_000, 30_000_000])
})

describe.each(['bitcoin', 'ethereum'] as const)('on %s', (network) => {
  const activities = () => createWithdrawalChainActivities(dependencies)

  test.each([
    ['an error of the code', new TypeError('Cannot read properties of undefined')],
    ['an error that names the node', new Error('http://user:secret@node is odd')],
    [
      'a coin that the node describes otherwise',
      new KeyturnError('INVALID_STATE', 'Not what the chain says'),
    ],
  ])('shows %s on the payout at once and raises an alert, until it is over', async (_what, error) => {
    const id = await approved(network)
    trouble = async () => {
      throw error
    }
    const step = await activities().buildWithdrawal(id)
    expect(step).toMatchObject({ kind: 'waiting', code: 'STEP_FAILED' })
    const row = await read(id)
    expect(row).toMatchObject({ stage: 'building', waiting: { code: 'STEP_FAILED' } })
    expect(JSON.stringify([row.waiting, step])).not.toContain('secret')
    expect(await alerts(id)).toEqual(['withdrawal.step_failed'])
    // The alert is raised once, however often the step is tried.
    await activities().buildWithdrawal(id)
    const raised = await stage.api.database.sql`
      SELECT 1 FROM events WHERE type = 'exception.raised' AND data ->> 'subject' = ${id}`
    expect(raised).toHaveLength(1)
    await watch()
    expect(await alerts(id)).toEqual(['withdrawal.step_failed'])
    trouble = async () => {
      throw new KeyturnError('DEPENDENCY_UNAVAILABLE', 'no node')
    }
    await activities().buildWithdrawal(id)
    await watch()
    expect(await alerts(id)).toEqual([])
  })

  test('shows a build that does not return in time on the payout', async () => {
    const id = await approved(network)
    trouble = async () => {
      await sleep(2_000)
      throw new Error('too late')
    }
    const late = sleep(2_500)
    expect(await activities().buildWithdrawal(id)).toMatchObject({ kind: 'waiting', code: 'STEP_FAILED' })
    expect(await alerts(id)).toEqual(['withdrawal.step_failed'])
    await late
  })

  test('waits for what passes, and raises an alert only when it lasts', async () => {
    const id = await approved(network)
    trouble = async () => {
      throw new KeyturnError('INVALID_STATE', 'The node does not know an output yet', { retryable: true })
    }
    expect(await activities().buildWithdrawal(id)).toMatchObject({ kind: 'waiting', code: 'STEP_FAILED' })
    expect(await alerts(id)).toEqual([])
    await stage.api.database.sql`
      UPDATE payouts SET waiting = jsonb_set(waiting, '{since}', '"2026-01-01T00:00:00.000Z"') WHERE id = ${id}`
    await activities().buildWithdrawal(id)
    expect(await alerts(id)).toEqual(['withdrawal.step_failed'])
  })
})
