/** Entries of the whitelist: approvals, cool-down, limits and removal. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_POLICY } from '../../domain/controls/policy.js'
import { type Controls, startControls } from '../stage/start-controls.js'

const KNOWN = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const OTHER = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
let controls: Controls
let version = 0
beforeAll(async () => {
  controls = await startControls()
  await controls.stage.credit('ethereum', 'usdt', 'alice', 10n ** 13n)
  await controls.stage.credit('ethereum', 'eth', '', 10n ** 21n)
})
afterAll(() => controls?.close())

const setMode = async (mode: 'off' | 'required') => {
  const { sql } = controls.stage.api.database
  const policy = { ...DEFAULT_POLICY, whitelist: { mode } }
  await sql`
    INSERT INTO policies (merchant_id, version, policy)
    VALUES (${controls.stage.api.merchantId}, ${++version}, ${sql.json(policy as never)})`
}
const add = (fields: object = {}) =>
  controls.call('POST', '/whitelist/addresses', {
    address: KNOWN,
    network: 'ethereum',
    label: 'Customer Wallet',
    ...fields,
  })
const entry = async (id: string) => (await controls.call('GET', `/whitelist/addresses/${id}`)).json.data
const becomes = (id: string, status: string) =>
  controls.until(async () => {
    const found = await entry(id)
    return found.status === status ? found : false
  })
const ask = async (to_address: string, amount = '1') => {
  const { status, json } = await controls.stage.create({
    network: 'ethereum',
    coin: 'usdt',
    amount,
    to_address,
    user_reference: 'alice',
  })
  return { status, error: json.error }
}
const activate = async (id: string) => {
  await controls.approve(`/whitelist/addresses/${id}`)
  await becomes(id, 'cooling_down')
  await controls.endCoolDown('whitelist', id)
  await becomes(id, 'active')
}

test('records every step of an entry as an event', async () => {
  const { id } = (await add({ address: '0x00000000000000000000000000000000000000A1' })).json.data
  await activate(id)
  await controls.call('DELETE', `/whitelist/addresses/${id}`)
  const rows = await controls.stage.api.database.sql<{ type: string; data: Record<string, unknown> }[]>`
    SELECT type, data FROM events WHERE subject = ${id} ORDER BY position`
  expect(rows.map(({ type, data }) => [type, data.previous_status, data.status])).toEqual([
    ['whitelist.status_changed', null, 'pending_approval'],
    ['whitelist.status_changed', 'pending_approval', 'cooling_down'],
    ['whitelist.status_changed', 'cooling_down', 'active'],
    ['whitelist.status_changed', 'active', 'removed'],
  ])
  expect(rows[0]?.data).toMatchObject({ id, network: 'ethereum', label: 'Customer Wallet' })
})

test('counts an entry after two approvals and its cool-down, for its address alone, until it is removed', async () => {
  await setMode('required')
  const { status, json } = await add({ address: KNOWN.toLowerCase() })
  expect(status).toBe(201)
  expect(json.data).toMatchObject({
    address: KNOWN,
    network: 'ethereum',
    label: 'Customer Wallet',
    status: 'pending_approval',
    daily_limit: null,
  })
  const { id } = json.data
  const refused = {
    status: 422,
    error: { code: 'NOT_WHITELISTED', details: { address: KNOWN, network: 'ethereum' } },
  }
  expect(await ask(KNOWN)).toMatchObject(refused)
  const [asker] = controls.stage.people
  expect((await controls.decide(`/whitelist/addresses/${id}`, asker)).json.error.code).toBe(
    'INITIATOR_CANNOT_APPROVE',
  )
  await controls.approve(`/whitelist/addresses/${id}`)
  const cooling = await becomes(id, 'cooling_down')
  const approved = cooling.history.at(-1).at
  expect(Date.parse(cooling.effective_at) - Date.parse(approved)).toBe(86_400_000)
  expect(await ask(KNOWN)).toMatchObject(refused)
  await controls.endCoolDown('whitelist', id)
  await becomes(id, 'active')
  expect(await controls.result('whitelist', id)).toBe('effective')
  expect(await ask(KNOWN)).toMatchObject({ status: 201 })
  expect(await ask(KNOWN.toLowerCase())).toMatchObject({ status: 201 })
  expect(await ask(OTHER)).toMatchObject({ status: 422, error: { code: 'NOT_WHITELISTED' } })
  expect((await controls.call('DELETE', `/whitelist/addresses/${id}`)).json.data.status).toBe('removed')
  expect(await ask(KNOWN)).toMatchObject(refused)
  expect((await controls.call('DELETE', `/whitelist/addresses/${id}`)).json.error.code).toBe('INVALID_STATE')
  await setMode('off')
  expect(await ask(KNOWN)).toMatchObject({ status: 201 })
})

test('allows one entry for an address, and a new one after that was removed', async () => {
  const first = (await add({ address: OTHER })).json.data
  const second = await add({ address: OTHER })
  expect(second.status).toBe(409)
  expect(second.json.error).toMatchObject({ code: 'INVALID_STATE', details: { id: first.id } })
  await controls.decide(`/whitelist/addresses/${first.id}`, controls.stage.people[1], 'reject')
  await becomes(first.id, 'rejected')
  const third = (await add({ address: OTHER })).json.data
  await controls.call('DELETE', `/whitelist/addresses/${third.id}`)
  expect((await add({ address: OTHER })).status).toBe(201)
  const { json } = await controls.call('GET', `/whitelist/addresses?address=${OTHER.toLowerCase()}`)
  expect(json.data.map((each: { status: string }) => each.status)).toEqual([
    'pending_approval',
    'removed',
    'rejected',
  ])
  expect((await controls.call('GET', '/whitelist/addresses?status=removed&limit=1')).json.data).toHaveLength(
    1,
  )
})

test('limits withdrawals to the address of an entry by its limits', async () => {
  const address = '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359'
  const { id } = (await add({ address, daily_limit: '1000.00', monthly_limit: '10000.00' })).json.data
  await activate(id)
  expect(await ask(address, '600')).toMatchObject({ status: 201 })
  expect(await ask(address, '401')).toMatchObject({
    status: 422,
    error: {
      code: 'DAILY_LIMIT_EXCEEDED',
      details: { limit: '1000', used: '600', requested: '401', available: '400' },
    },
  })
  expect(await ask(KNOWN, '401')).toMatchObject({ status: 201 })
})

test('rejects an invalid address, and an entry of another merchant', async () => {
  expect((await add({ address: 'nonsense' })).json.error.code).toBe('INVALID_ADDRESS')
  expect((await add({ daily_limit: '-1' })).json.error.code).toBe('VALIDATION_FAILED')
  expect((await add({ network: 'dogecoin' })).json.error.code).toBe('UNSUPPORTED_NETWORK')
  const { api } = controls.stage
  const key = await api.newKey({ merchantId: await api.newMerchant() })
  const [own] = (await controls.call('GET', '/whitelist/addresses')).json.data
  for (const path of ['', '/intent']) {
    expect((await api.call({ path: `/api/v1/whitelist/addresses/${own.id}${path}`, key })).status).toBe(404)
  }
  // The whitelist does not find a change of the policy.
  expect((await controls.call('GET', `/policy/changes/${own.id}`)).status).toBe(404)
})
