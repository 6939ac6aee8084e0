/** Rolling limits of merchants, users and whitelist entries. */

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_POLICY, type Policy } from '../../../../domain/controls/policy.js'
import { type Stage, startStage } from '../../../stage/start-stage.js'
import { testNetworks } from '../../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
let stage: Stage
let users = 0
beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', '', 10n ** 21n)
})
afterAll(() => stage?.close())

const limit = (daily: string | null, monthly: string | null = null) => ({
  network: 'ethereum',
  coin: 'usdt',
  daily,
  monthly,
})
let version = 0
const setLimits = async (limits: Partial<Policy['limits']>) => {
  const { sql } = stage.api.database
  const policy: Policy = { ...DEFAULT_POLICY, limits: { ...DEFAULT_POLICY.limits, ...limits } }
  await sql`
    INSERT INTO policies (merchant_id, version, policy)
    VALUES (${stage.api.merchantId}, ${++version}, ${sql.json(policy as never)})`
}
/** A user with a lot of USDT. */
const newUser = async () => {
  const name = `user-${++users}`
  await stage.credit('ethereum', 'usdt', name, 10n ** 12n)
  return name
}
const ask = (user: string, amount: string, fields: object = {}) =>
  stage.create({ network: 'ethereum', coin: 'usdt', amount, to_address: TO, user_reference: user, ...fields })
/** Makes every withdrawal of the users older by this time. */
const age = async (interval: string) => {
  await stage.api.database.sql.unsafe(`UPDATE payouts SET created_at = created_at - interval '${interval}'`)
}

test('refuses above a daily limit with the documented details, holds nothing, and rolls', async () => {
  const user = await newUser()
  await setLimits({ user: [limit('5000.00')] })
  expect((await ask(user, '4500.00')).status).toBe(201)
  const held = await stage.balance('ethereum', 'usdt', 'reserved', user)
  const refused = await ask(user, '1000.00')
  expect(refused.status).toBe(422)
  expect(refused.json.error.code).toBe('DAILY_LIMIT_EXCEEDED')
  expect(refused.json.error.details).toEqual({
    limit: '5000',
    used: '4500',
    requested: '1000',
    available: '500',
  })
  expect(await stage.balance('ethereum', 'usdt', 'reserved', user)).toBe(held)
  // Another user has a limit of their own.
  expect((await ask(await newUser(), '5000')).status).toBe(201)
  await age('23 hours 59 minutes')
  expect((await ask(user, '500.000001')).status).toBe(422)
  await age('2 minutes')
  expect((await ask(user, '5000')).status).toBe(201)
})

test('applies a monthly limit for thirty days', async () => {
  const user = await newUser()
  await setLimits({ user: [limit('10', '25')] })
  for (let day = 0; day < 2; day++) {
    expect((await ask(user, '10')).status).toBe(201)
    await age('25 hours')
  }
  const refused = await ask(user, '10')
  expect(refused.json.error).toMatchObject({
    code: 'MONTHLY_LIMIT_EXCEEDED',
    details: { limit: '25', used: '20', requested: '10', available: '5' },
  })
  await age('28 days')
  expect((await ask(user, '10')).status).toBe(201)
})

test("counts every user and the merchant itself against the merchant's limit, in that coin only", async () => {
  await age('31 days')
  await setLimits({ merchant: [limit('30')] })
  await stage.credit('ethereum', 'usdt', '', 10n ** 12n)
  expect((await ask(await newUser(), '10')).status).toBe(201)
  expect(
    (await stage.create({ network: 'ethereum', coin: 'usdt', amount: '15', to_address: TO })).status,
  ).toBe(201)
  expect((await ask(await newUser(), '6')).json.error.details.available).toBe('5')
  const other = { network: 'ethereum', coin: 'eth', amount: '6', to_address: TO }
  expect((await stage.create(other)).status).toBe(201)
})

test('returns the amount of a cancelled or rejected withdrawal to the limit', async () => {
  await age('31 days')
  await setLimits({ user: [limit('10')] })
  const user = await newUser()
  const first = (await ask(user, '10')).json.data.id
  expect((await ask(user, '1')).status).toBe(422)
  await stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${first}` })
  const second = (await ask(user, '10')).json.data.id
  expect(second).toMatch(/^withdrawal_/)
  const { sql } = stage.api.database
  for (const stageName of ['rejected', 'expired', 'failed', 'reverted']) {
    await sql`UPDATE payouts SET stage = ${stageName} WHERE id = ${second}`
    const third = await ask(user, '10')
    expect(third.status).toBe(201)
    await stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${third.json.data.id}` })
  }
  await sql`UPDATE payouts SET stage = 'confirmed' WHERE id = ${second}`
  expect((await ask(user, '1')).status).toBe(422)
})

test('answers a repeated request with the first withdrawal, not with the limit that it used up', async () => {
  await setLimits({ user: [limit('10')] })
  const user = await newUser()
  expect((await ask(user, '10', { external_id: 'twin' })).status).toBe(201)
  expect((await ask(user, '10', { external_id: 'twin' })).json.error.code).toBe('DUPLICATE_EXTERNAL_ID')
})

test('never exceeds the limits with many requests at once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 8, maxLength: 16 }),
      fc.integer({ min: 20, max: 150 }),
      fc.integer({ min: 20, max: 150 }),
      async (amounts, userLimit, merchantLimit) => {
        await age('31 days')
        await setLimits({ user: [limit(`${userLimit}`)], merchant: [limit(`${merchantLimit}`)] })
        const pair = [await newUser(), await newUser()] as const
        const answers = await Promise.all(amounts.map((amount, i) => ask(pair[i % 2 ? 1 : 0], `${amount}`)))
        const taken = [0, 0]
        answers.forEach((answer, i) => {
          if (answer.status === 201) taken[i % 2] = (taken[i % 2] ?? 0) + (amounts[i] ?? 0)
          else expect(answer.json.error.code).toBe('DAILY_LIMIT_EXCEEDED')
        })
        const [a = 0, b = 0] = taken
        expect(a).toBeLessThanOrEqual(userLimit)
        expect(b).toBeLessThanOrEqual(userLimit)
        expect(a + b).toBeLessThanOrEqual(merchantLimit)
        // No refused request would still fit now.
        answers.forEach((answer, i) => {
          if (answer.status === 201) return
          const amount = amounts[i] ?? 0
          expect(amount + (taken[i % 2] ?? 0) > userLimit || amount + a + b > merchantLimit).toBe(true)
        })
      },
    ),
    { numRuns: 6 },
  )
})
