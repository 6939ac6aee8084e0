/** Alerts about withdrawals: raised once, cleared at their end. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AlertSettings, watchWithdrawals } from '../../../../db/operations/alerts/watch-withdrawals.js'
import { measureWithdrawals } from '../../../../db/operations/measure-withdrawals.js'
import { type Stage, startStage } from '../../../stage/start-stage.js'
import { testNetworks } from '../../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
const ETH = 10n ** 18n
let stage: Stage
let settings: AlertSettings
beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', '', 10_000n * ETH)
  settings = {
    large: new Map([['ethereum.eth', 100n * ETH]]),
    failures: 3,
    stuckFactor: 3,
    unusualScore: 60,
  }
})
afterAll(() => stage?.close())

async function ask(amount = '1'): Promise<string> {
  const { status, json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount,
    to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data.id
}
async function watch(): Promise<number> {
  const { sql } = stage.api.database
  return watchWithdrawals(sql, networks, settings, await measureWithdrawals(sql))
}
const end = (id: string, to: string, code: string | null = null) => stage.api.database.sql`
  UPDATE payouts SET stage = ${to}, failure_code = ${code}, fee = 21000, updated_at = clock_timestamp(),
                         confirmed_at = CASE WHEN ${to} = 'confirmed' THEN clock_timestamp() END
  WHERE id = ${id}`
const standing = async (kind: string) =>
  (
    await stage.api.database.sql<{ subject: string }[]>`
      SELECT subject FROM alerts WHERE kind = ${kind} AND cleared_at IS NULL ORDER BY subject`
  ).map((row) => row.subject)
const raised = async (kind: string) =>
  (
    await stage.api.database.sql<{ data: Record<string, unknown> }[]>`
      SELECT data FROM events WHERE type = 'exception.raised' AND data ->> 'detail' = ${kind} ORDER BY position`
  ).map((row) => row.data)

test('raises one alert for a large withdrawal and clears it at its end', async () => {
  await ask('99.999999999999999999')
  const large = await ask('100')
  expect(await watch()).toBe(1)
  expect(await watch()).toBe(0)
  expect(await raised('withdrawal.large')).toMatchObject([
    { subject: large, severity: 'medium', amount: '100', threshold: '100', coin: 'eth' },
  ])
  expect(await standing('withdrawal.large')).toEqual([large])
  await end(large, 'confirmed')
  await watch()
  expect(await standing('withdrawal.large')).toEqual([])
  expect(await raised('withdrawal.large')).toHaveLength(1)
})

test('raises an alert with the factors for an unusual withdrawal', async () => {
  const id = await ask()
  await stage.api.database.sql`
    UPDATE payouts SET risk = jsonb_set(risk, '{factors}', ${stage.api.database.sql.json([
      { name: 'frequency', score: 60, weight: 0.2, reason: '40 within 24 hours' },
      { name: 'amount', score: 59, weight: 0.2, reason: 'twice the average' },
      { name: 'destination', score: 100, weight: 0.2, reason: 'new' },
    ])}) WHERE id = ${id}`
  expect(await watch()).toBe(1)
  expect(await raised('withdrawal.unusual')).toMatchObject([
    { subject: id, factors: [{ name: 'frequency', score: 60, reason: '40 within 24 hours' }] },
  ])
  await end(id, 'cancelled')
  await watch()
  expect(await standing('withdrawal.unusual')).toEqual([])
})

test('raises one alert for consecutive failures, ignores decisions, and clears it after a success', async () => {
  const fail = async (code: string, to = 'failed') => end(await ask(), to, code)
  await fail('POLICY_LIMIT')
  await fail('REVERTED_ON_CHAIN', 'reverted')
  await fail('REFUNDED')
  await fail('REJECTED', 'rejected')
  await watch()
  expect(await raised('withdrawal.consecutive_failures')).toEqual([])
  await fail('NONCE_USED_ELSEWHERE')
  await watch()
  expect(await raised('withdrawal.consecutive_failures')).toMatchObject([
    {
      subject: 'ethereum:eth',
      severity: 'critical',
      withdrawals: [
        { failure: 'NONCE_USED_ELSEWHERE' },
        { failure: 'REVERTED_ON_CHAIN' },
        { failure: 'POLICY_LIMIT' },
      ],
    },
  ])
  await fail('POLICY_LIMIT')
  await watch()
  expect(await raised('withdrawal.consecutive_failures')).toHaveLength(1)
  await end(await ask(), 'confirmed')
  await watch()
  expect(await standing('withdrawal.consecutive_failures')).toEqual([])
})

test('raises an alert after three times the expected time, but not while people decide', async () => {
  const { sql } = stage.api.database
  const [stuck, slow, pending] = [await ask(), await ask(), await ask()]
  // Normal priority promises 30 minutes.
  const approved = (minutes: number) =>
    sql.json([{ stage: 'approved', at: new Date(Date.now() - minutes * 60_000).toISOString() }] as never)
  await sql`
    UPDATE payouts SET stage = 'pending_signature', history = ${approved(91)},
      waiting = '{"code": "SIGNER_OFFLINE"}' WHERE id = ${stuck}`
  await sql`UPDATE payouts SET stage = 'confirming', history = ${approved(89)} WHERE id = ${slow}`
  await sql`
    UPDATE payouts SET stage = 'pending_approval', created_at = now() - interval '20 hours',
      estimated_confirmation_at = now() - interval '19 hours' WHERE id = ${pending}`
  await watch()
  expect(await watch()).toBe(0)
  expect(await raised('withdrawal.stuck')).toMatchObject([
    { subject: stuck, stage: 'pending_signature', waiting: { code: 'SIGNER_OFFLINE' } },
  ])
  await end(stuck, 'expired')
  await watch()
  expect(await standing('withdrawal.stuck')).toEqual([])
})

test('shows totals, times, fees, queues, signers and alerts in the metrics, without names', async () => {
  const { sql } = stage.api.database
  await sql`UPDATE payouts SET stage = 'cancelled', measured_at = now() WHERE measured_at IS NULL`
  await sql`DELETE FROM withdrawal_totals`
  const ids = [await ask(), await ask(), await ask(), await ask()]
  for (const [index, minutes] of [0.5, 4, 20_000].entries()) {
    await sql`
      UPDATE payouts SET created_at = now() - ${minutes} * interval '1 minute', fee_estimate = 30000
      WHERE id = ${ids[index] ?? ''}`
    await end(ids[index] ?? '', 'confirmed')
  }
  await watch()
  // Two sweeps measure each withdrawal once.
  await end(ids[3] ?? '', 'failed', 'POLICY_LIMIT')
  await sql`UPDATE payouts SET fee = NULL WHERE id = ${ids[3] ?? ''}`
  await watch()
  await watch()
  const open = await ask()
  await sql`UPDATE payouts SET created_at = now() - interval '1 hour' WHERE id = ${open}`
  const text = await stage.api.metrics()
  const value = (sample: string) => {
    const line = text.split('\n').find((each) => each.startsWith(`keyturn_${sample} `))
    return line === undefined ? null : Number(line.split(' ').at(-1))
  }
  const coin = 'kind="withdrawal",network="ethereum",coin="eth"'
  expect(value(`withdrawals_total{${coin},outcome="confirmed"}`)).toBe(3)
  expect(value(`withdrawals_total{${coin},outcome="failed"}`)).toBe(1)
  const bucket = (le: string) => value(`withdrawal_duration_seconds_bucket{${coin},le="${le}"}`)
  expect([bucket('60'), bucket('300'), bucket('604800'), bucket('+Inf')]).toEqual([1, 2, 2, 3])
  expect(value(`withdrawal_duration_seconds_count{${coin}}`)).toBe(3)
  expect(value(`withdrawal_duration_seconds_sum{${coin}}`)).toBeGreaterThanOrEqual(20_004.5 * 60)
  expect(value(`withdrawal_fees_paid_total{${coin}}`)).toBe(63_000)
  expect(value(`withdrawal_fees_estimated_total{${coin}}`)).toBe(90_000)
  expect(value(`withdrawal_queue_length{${coin},stage="requested"}`)).toBe(1)
  expect(value(`withdrawal_queue_oldest_seconds{${coin},stage="requested"}`)).toBeGreaterThanOrEqual(3_600)
  expect(value('alerts{kind="withdrawal.stuck"}')).toBe(0)
  await sql`UPDATE signers SET online = false, last_seen_at = now() - interval '5 minutes'`
  const later = await stage.api.metrics()
  expect(later).toContain('keyturn_signers{state="offline"} 1\n')
  expect(later).toContain('keyturn_alerts{kind="signer.offline"} 1\n')
  expect(Number(/^keyturn_signer_silence_seconds (\S+)$/m.exec(later)?.[1])).toBeGreaterThanOrEqual(300)
  for (const secret of [stage.api.merchantId, open]) expect(later).not.toContain(secret)
})

test('raises the other alerts although one withdrawal has a coin that is no longer configured', async () => {
  await ask('100')
  const large = await ask('150')
  const { sql } = stage.api.database
  await sql`
    UPDATE payouts SET coin = 'gone' WHERE id = (SELECT min(id) FROM payouts WHERE watched_at IS NULL)`
  const before = settings
  settings = { ...settings, large: new Map([...settings.large, ['ethereum.gone', 1n]]) }
  await watch()
  settings = before
  expect(await standing('withdrawal.large')).toContain(large)
})
