/** What the operator decides about merchants, and what a suspension and a rail that is off refuse. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createOperatorKey } from '../../../db/merchants/operator.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { type ApiKeyPair, MASTER_KEY } from '../../stage/test-api.js'
import { testNetworks } from '../../stage/test-networks.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
let stage: Stage
let operator: ApiKeyPair
beforeAll(async () => {
  stage = await startStage({ networks: testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' }) })
  const { sql } = stage.api.database
  operator = await createOperatorKey(sql, MASTER_KEY, {
    name: 'operator',
    ipAllowlist: ['0.0.0.0/0', '::/0'],
  })
  await stage.credit('ethereum', 'eth', 'alice', 10n ** 20n)
})
afterAll(() => stage?.close())
beforeEach(async () => {
  await decide('resume', { reason: 'the next test' })
})

const decide = (what: string, body: object, id = stage.api.merchantId) =>
  stage.api.call({ method: 'POST', path: `/api/v1/admin/merchants/${id}/${what}`, body, key: operator })
const make = (path: string, body: object) => stage.api.call({ method: 'POST', path: `/api/v1${path}`, body })
const payment = (coin = 'eth') =>
  make('/payments', { network: 'ethereum', coin, amount: '1', user_reference: 'alice' })
const address = (network = 'ethereum') => make('/addresses', { network, user_reference: 'alice' })
const withdrawal = (coin = 'eth') =>
  stage.create({ network: 'ethereum', coin, amount: '1', to_address: TO, user_reference: 'alice' })
const refusals = async (
  answers: readonly Promise<{ status: number; json: { error?: { code: string } } }>[],
) => (await Promise.all(answers)).map(({ status, json }) => [status, json.error?.code])

test('refuses what is new while a merchant is suspended, lets it read and decide, and pauses what is approved', async () => {
  expect((await address()).status).toBeLessThan(300)
  const id = (await withdrawal()).json.data.id
  const suspended = await decide('suspend', { reason: 'a complaint', evidence: { ticket: 7 } })
  expect(suspended.json.data.stage).toBe('suspended')
  expect(suspended.json.data.decisions[0]).toMatchObject({
    kind: 'suspended',
    reason: 'a complaint',
    evidence: { ticket: 7 },
  })
  const refused = [403, 'MERCHANT_SUSPENDED']
  expect(await refusals([payment(), address(), address('bitcoin'), withdrawal()])).toEqual([
    refused,
    refused,
    refused,
    refused,
  ])
  await stage.approve(id)
  expect((await stage.read(id)).waiting).toMatchObject({ code: 'SETTLEMENT_PAUSED', reason: 'a complaint' })
  // The merchant cannot end it.
  const own = await make('/settlement/resume', { reason: 'please' })
  expect(own.json.error.code).toBe('INVALID_STATE')
  expect((await decide('resume', { reason: 'it was answered' })).json.data.stage).toBe('approved')
  expect((await stage.read(id)).waiting).toBe(null)
  expect((await payment()).status).toBe(201)
})

test('refuses payments, withdrawals and, with the last coin of a network, addresses on a rail that is off', async () => {
  const rail = (coin: string, enabled: boolean) =>
    decide('rails', { network: 'ethereum', coin, enabled, reason: 'a decision' })
  expect((await rail('eth', false)).json.data.rails).not.toContainEqual({ network: 'ethereum', coin: 'eth' })
  const off = [422, 'RAIL_NOT_ENABLED']
  expect(await refusals([payment(), withdrawal()])).toEqual([off, off])
  expect((await payment('usdt')).status).toBe(201)
  expect((await address()).status).toBe(200)
  await rail('usdt', false)
  expect(await refusals([address(), payment('usdt')])).toEqual([off, off])
  expect((await rail('eth', false)).json.error.code).toBe('INVALID_STATE')
  for (const coin of ['eth', 'usdt']) expect((await rail(coin, true)).status).toBe(200)
  expect((await payment()).status).toBe(201)
})

test.each([
  ['a suspension without a reason', 'suspend', {}, 400],
  ['evidence that is too long', 'suspend', { reason: 'x', evidence: 'e'.repeat(10_001) }, 400],
  ['to resume an active merchant', 'resume', { reason: 'x' }, 409],
  ['an unknown coin', 'rails', { network: 'ethereum', coin: 'doge', enabled: true, reason: 'x' }, 422],
  ['a rail that is “yes”', 'rails', { network: 'ethereum', coin: 'eth', enabled: 'yes', reason: 'x' }, 400],
])('refuses %s', async (_what, path, body, status) => {
  expect((await decide(path, body)).status).toBe(status)
})

test('is the operator’s alone, and knows no merchant that does not exist', async () => {
  const path = `/api/v1/admin/merchants/${stage.api.merchantId}/suspend`
  const own = await stage.api.call({ method: 'POST', path, body: { reason: 'x' } })
  expect(own.json.error.code).toBe('INSUFFICIENT_SCOPE')
  expect((await decide('suspend', { reason: 'x' }, 'mer_none')).status).toBe(404)
  expect((await decide('suspend', { reason: 'x' }, 'operator')).status).toBe(404)
  const listed = await stage.api.call({ path: '/api/v1/admin/merchants', key: operator })
  expect(listed.json.data.map(({ id }: { id: string }) => id)).toEqual([stage.api.merchantId])
})

test('suspends once, when two operators press at once', async () => {
  const both = await Promise.all([decide('suspend', { reason: 'a' }), decide('suspend', { reason: 'b' })])
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
})
