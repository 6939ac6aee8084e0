/** The sweeper passes rows that cannot be started, and raises alerts about them. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSweeperActivities } from '../../../activities/operations/sweeper.js'
import type { SweeperDependencies } from '../../../activities/operations/sweeper-dependencies.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'
import { sealOnce } from '../../support/seal-once.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
const quiet = { info() {}, warn() {}, error() {} }
let stage: Stage

beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
  await stage.credit('bitcoin', 'btc', '', 10n ** 10n)
})
afterAll(() => stage?.close())

async function ask(network: string, coin: string, to_address: string): Promise<string> {
  const { status, json } = await stage.create({ network, coin, amount: '1', to_address })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data.id
}
const willing: SweeperDependencies['gate'] = {
  startDeposit: async () => true,
  startChainWatcher: async () => {},
  wakePayment: async () => {},
  startWebhookCircuit: async () => {},
  startWebhookReplay: async () => {},
  startConsolidation: async () => {},
  startBatch: async () => true,
  startExport: async () => true,
  startReconciliationRun: async () => true,
  startRescan: async () => true,
  startControlChange: async () => true,
  startWithdrawal: async () => true,
  signal: async () => true,
}
/** Sweeps once and returns the rows that it started. */
async function sweep(change: Partial<SweeperDependencies> = {}, start?: (id: string) => Promise<boolean>) {
  const started: string[] = []
  const { sweep } = createSweeperActivities({
    sql: stage.api.database.sql,
    networks,
    gate: {
      ...willing,
      startWithdrawal: async ({ id }) => {
        const done = (await start?.(id)) ?? true
        started.push(id)
        return done
      },
    },
    log: quiet,
    graceMs: 0,
    signalAgainAfterMs: 60_000,
    nonceGapAfterMs: 600_000,
    unansweredAfterMs: 600_000,
    signerOfflineAfterMs: 3_600_000,
    idempotencyWindowMs: 86_400_000,
    webhookRetryIntervalMs: 300_000,
    webhookRetryWindowMs: 86_400_000,
    ...change,
  })
  const swept = await sweep()
  return { started, swept }
}
const alertsOf = (subject: string) => stage.api.database.sql<{ cleared_at: Date | null; reason: string }[]>`
  SELECT cleared_at, facts ->> 'reason' AS reason FROM alerts WHERE kind = 'workflow.not_started' AND subject = ${subject}`
const retryNow = () => stage.api.database.sql`UPDATE sweep_failures SET retry_at = now()`
const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'

test('sweeps past a row of a disabled network, raises an alert, and starts it when the network returns', async () => {
  const off = await ask('ethereum', 'eth', TO)
  const on = await ask('bitcoin', 'btc', 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080')
  const { started, swept } = await sweep({ networks: testNetworks({ BITCOIN_ENABLED: 'true' }) })
  expect(started).toEqual([on])
  expect(swept.withdrawals).toBe(1)
  expect(await alertsOf(off)).toMatchObject([
    { cleared_at: null, reason: expect.stringContaining('ethereum') },
  ])
  // A postponed row takes no place of others in the next sweep.
  expect((await sweep()).started).toEqual([])
  await retryNow()
  expect((await sweep()).started).toEqual([off])
  expect(await alertsOf(off)).toMatchObject([{ cleared_at: expect.any(Date) }])
})

test('postpones a row that Temporal refuses, longer each time, with one alert, and starts the others', async () => {
  const ids = [
    await ask('ethereum', 'eth', TO),
    await ask('ethereum', 'eth', TO),
    await ask('ethereum', 'eth', TO),
  ]
  const [bad] = ids
  const refusing = (id: string) =>
    id === bad
      ? Promise.reject(Object.assign(new Error('invalid argument'), { code: 3 }))
      : Promise.resolve(true)
  expect((await sweep({}, refusing)).started.sort()).toEqual(ids.slice(1).sort())
  await retryNow()
  await sweep({}, refusing)
  const [kept] = await stage.api.database.sql<{ failures: number; wait: number }[]>`
    SELECT failures, extract(epoch FROM retry_at - now())::float8 AS wait FROM sweep_failures WHERE subject = ${bad ?? ''}`
  expect(kept?.failures).toBe(2)
  expect(kept?.wait).toBeGreaterThan(60)
  while (await sealOnce(stage.api.database.sql, null)) {}
  const raised = await stage.api.database.sql`
    SELECT id FROM events WHERE type = 'exception.raised' AND subject = ${bad ?? ''} AND data ->> 'detail' = 'workflow.not_started'`
  expect(raised).toHaveLength(1)
})

test('postpones no row while Temporal is away and starts all in the next sweep', async () => {
  await retryNow()
  const ids = [await ask('ethereum', 'eth', TO), await ask('ethereum', 'eth', TO)]
  const away = () => Promise.reject(Object.assign(new Error('unavailable'), { code: 14 }))
  await expect(sweep({}, away)).rejects.toThrow('unavailable')
  for (const id of ids) expect(await alertsOf(id)).toEqual([])
  expect((await sweep()).started).toEqual(expect.arrayContaining(ids))
})

test('postpones a deposit that Temporal refuses, longer each time, with one alert, and starts the others', async () => {
  const { sql } = stage.api.database
  const insert = async (name: string) => {
    const id = `dep_${name}`
    await sql`
      INSERT INTO deposits (id, merchant_id, network, coin, txid, output_index, address_id, amount, status, required_confirmations)
      SELECT ${id}, merchant_id, network, 'eth', ${`0x${Buffer.from(name).toString('hex').padEnd(64, '0')}`}, 0, id, 5, 'detected', 4
      FROM addresses WHERE network = 'ethereum' AND merchant_id = ${stage.api.merchantId} ORDER BY id LIMIT 1`
    return id
  }
  const [bad, good] = [await insert('bad'), await insert('good')]
  const asked: string[] = []
  const gate = (refused: string | null): Partial<SweeperDependencies> => ({
    gate: {
      ...willing,
      startDeposit: async ({ id }) => {
        asked.push(id)
        if (id === refused) throw Object.assign(new Error('invalid argument'), { code: 3 })
        return true
      },
    },
  })
  await sweep(gate(bad))
  expect(asked.sort()).toEqual([bad, good])
  expect(await alertsOf(bad)).toMatchObject([{ cleared_at: null, reason: 'invalid argument' }])
  // The refused deposit does not cost a call a second.
  await sweep(gate(bad))
  expect(asked).toHaveLength(2)
  await retryNow()
  await sweep(gate(bad))
  const [kept] = await sql<{ failures: number; wait: number }[]>`
    SELECT failures, extract(epoch FROM retry_at - now())::float8 AS wait FROM sweep_failures WHERE subject = ${bad}`
  expect(kept?.failures).toBe(2)
  expect(kept?.wait).toBeGreaterThan(60)
  await retryNow()
  await sweep(gate(null))
  expect(await alertsOf(bad)).toMatchObject([{ cleared_at: expect.any(Date) }])
  expect(
    await sql`SELECT FROM deposits WHERE workflow_started_at IS NULL AND id = ANY (${[bad, good]})`,
  ).toEqual([])
})
