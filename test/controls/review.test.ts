/** Risk of withdrawals: factors, reviews by people, sanctions and countries. */

import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../api/create-app.js'
import { followSanctions } from '../../api/sources/follow-sanctions.js'
import { openGeography } from '../../api/sources/open-geography.js'
import { DEFAULT_POLICY, type PolicyUpdate } from '../../domain/controls/policy.js'
import { updatedPolicy } from '../../domain/controls/policy-change.js'
import { type Controls, startControls } from '../stage/start-controls.js'
import { signedHeaders } from '../stage/test-api.js'
import { writeGeoipFile } from './geoip-file.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const SANCTIONED = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
const RISKY = { risk: { threshold: 1 } }
let controls: Controls
let directory: string
let version = 0
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyturn-risk-'))
  controls = await startControls()
  await controls.stage.credit('ethereum', 'usdt', 'alice', 10n ** 13n)
  await controls.stage.credit('ethereum', 'eth', '', 10n ** 21n)
  const [, , second] = controls.stage.people
  await controls.stage.api.database
    .sql`UPDATE approvers SET role = 'reviewer' WHERE id = ${second.approverId}`
})
afterAll(async () => {
  await controls?.close()
  await rm(directory, { recursive: true, force: true })
})

const setPolicy = async (update: PolicyUpdate) => {
  const { sql } = controls.stage.api.database
  await sql`
    INSERT INTO policies (merchant_id, version, policy)
    VALUES (${controls.stage.api.merchantId}, ${++version}, ${sql.json(updatedPolicy(DEFAULT_POLICY, update) as never)})`
}
const body = (fields: object = {}) => ({
  network: 'ethereum',
  coin: 'usdt',
  amount: '1',
  to_address: TO,
  user_reference: 'alice',
  ...fields,
})
const ask = async (fields: object = {}) => {
  const { status, json } = await controls.stage.create(body(fields))
  expect(status).toBe(201)
  return json.data
}
const review = async (
  id: string,
  person = controls.stage.people[2],
  decision = 'approve',
  key = person.key,
) => {
  const path = `/withdrawals/${id}/review`
  const { status, json } = await controls.call(
    'POST',
    path,
    { decision, reason: 'called the customer' },
    { ...person, key },
  )
  return { status, data: json.data, code: json.error?.code }
}
const sanction = async (text: string) => {
  const path = join(directory, 'sanctions.txt')
  await writeFile(path, text)
  const load = followSanctions(controls.stage.api.database.sql, path)
  return { path, load, loaded: await load() }
}

test('shows the risk of every withdrawal by factors, and by default asks for approvals at once', async () => {
  const made = await ask()
  expect(made.review).toBe(null)
  expect(made.risk).toMatchObject({ threshold: 80, sanctioned: false })
  expect(made.risk.factors.map((factor: { name: string }) => factor.name)).toEqual([
    'amount',
    'destination',
    'frequency',
    'geography',
    'behaviour',
  ])
  expect(made.risk.factors[3]).toEqual({
    name: 'geography',
    score: 0,
    weight: 0.15,
    reason: 'Neutral: no GeoIP database is configured',
  })
  await controls.stage.until(made.id, 'pending_approval')
})

test('holds a withdrawal above the threshold for a review, then for its two approvals', async () => {
  await setPolicy(RISKY)
  const { id, review: asked } = await ask()
  expect(asked).toEqual({ required: true })
  await controls.stage.until(id, 'pending_review')
  const [initiator, first, second] = controls.stage.people
  // A key without a person, a person without the role, and the person who requested it.
  const noAdmin = await controls.stage.api.newKey({ personId: first.id, scopes: ['read', 'approvals'] })
  expect(await review(id, first, 'approve', noAdmin)).toMatchObject({ status: 403, code: 'NOT_AN_APPROVER' })
  expect(await review(id, first, 'approve', controls.stage.api.key)).toMatchObject({
    code: 'NOT_AN_APPROVER',
  })
  expect(await review(id, initiator)).toMatchObject({ status: 403, code: 'INITIATOR_CANNOT_APPROVE' })
  expect(await review('withdrawal_unknown')).toMatchObject({ status: 404 })
  // Approvals may come before the review; they count once it is done.
  expect((await controls.stage.decide(id, first)).status).toBe(201)
  expect((await controls.stage.decide(id, second)).status).toBe(201)
  expect((await controls.stage.read(id)).stage).toBe('pending_review')
  const onlyApprovals = await controls.stage.api.newKey({
    personId: second.id,
    scopes: ['read', 'approvals'],
  })
  const reviewed = await review(id, second, 'approve', onlyApprovals)
  expect(reviewed).toMatchObject({
    status: 200,
    data: {
      stage: 'pending_approval',
      review: { required: true, decision: 'approve', reviewer: second.id, reason: 'called the customer' },
    },
  })
  expect(await review(id)).toMatchObject({ status: 409, code: 'ALREADY_DECIDED' })
  await controls.stage.until(id, 'approved')
  const [audit] = await controls.stage.api.database.sql<{ actor: string; data: Record<string, unknown> }[]>`
    SELECT actor, data FROM audit_log WHERE subject = ${id} AND action = 'withdrawal.pending_approval'`
  expect(audit).toMatchObject({ actor: `person:${second.id}`, data: { review: { decision: 'approve' } } })
})

test('requires two approvals besides the review', async () => {
  await setPolicy(RISKY)
  const { id } = await ask()
  expect((await review(id)).status).toBe(200)
  await controls.stage.decide(id, controls.stage.people[1])
  expect((await controls.stage.read(id)).stage).toBe('pending_approval')
  expect((await controls.stage.read(id)).history.map((entry) => entry.stage)).toEqual([
    'requested',
    'pending_review',
    'pending_approval',
  ])
})

test('ends a withdrawal and releases its hold after a rejected review, or a rejection before the review', async () => {
  await setPolicy(RISKY)
  const before = await controls.stage.balance('ethereum', 'usdt', 'reserved', 'alice')
  const first = await ask()
  expect(await review(first.id, controls.stage.people[2], 'reject')).toMatchObject({
    data: { status: 'failed', stage: 'rejected', failure: { code: 'REJECTED_IN_REVIEW' } },
  })
  const second = await ask()
  await controls.stage.until(second.id, 'pending_review')
  await controls.stage.decide(second.id, controls.stage.people[1], 'reject')
  await controls.stage.until(second.id, 'rejected')
  expect(await review(second.id)).toMatchObject({ code: 'INVALID_STATE' })
  expect(await controls.stage.balance('ethereum', 'usdt', 'reserved', 'alice')).toBe(before)
})

test('reviews no withdrawal to a whitelisted destination for its score, but requires two approvals', async () => {
  await setPolicy(RISKY)
  const entry = await controls.call('POST', '/whitelist/addresses', {
    address: TO,
    network: 'ethereum',
    label: 'known',
  })
  const { id } = entry.json.data
  await controls.approve(`/whitelist/addresses/${id}`)
  const status = async (wanted: string) =>
    (await controls.call('GET', `/whitelist/addresses/${id}`)).json.data.status === wanted
  await controls.until(() => status('cooling_down'))
  await controls.endCoolDown('whitelist', id)
  await controls.until(() => status('active'))
  await setPolicy({ risk: { threshold: 0 } })
  const made = await ask()
  expect(made.risk.score).toBeGreaterThan(made.risk.threshold)
  expect([made.review, made.required_approvals]).toEqual([null, 2])
  await controls.stage.until(made.id, 'pending_approval')
  await sanction(TO)
  const sanctioned = await ask()
  expect(sanctioned.risk).toMatchObject({ score: 100, sanctioned: true })
  expect(sanctioned.review).toEqual({ required: true })
  await sanction('')
  await controls.call('DELETE', `/whitelist/addresses/${id}`)
})

test('holds a withdrawal to a destination on the sanctions list in any spelling, and follows the file', async () => {
  await setPolicy({})
  const { path, load, loaded } = await sanction(`# OFAC\n\n${SANCTIONED.toLowerCase()}  # a comment\n`)
  expect(loaded).toBe(1)
  expect(await load()).toBe(null)
  const held = await ask({ to_address: SANCTIONED })
  expect(held.risk).toMatchObject({ score: 100, sanctioned: true })
  await controls.stage.until(held.id, 'pending_review')
  expect((await ask()).risk.sanctioned).toBe(false)
  await writeFile(path, `${TO.toUpperCase().replace('0X', '0x')}\n`)
  await utimes(path, new Date(), new Date(Date.now() + 5_000))
  expect(await load()).toBe(1)
  expect((await ask()).risk.sanctioned).toBe(true)
  expect((await ask({ to_address: SANCTIONED })).risk.sanctioned).toBe(false)
  await rm(path)
  await expect(load()).rejects.toThrow()
  expect((await ask()).risk.sanctioned).toBe(true)
  await sanction('')
})

test('counts the country of a request where a database is configured', async () => {
  await setPolicy({ risk: { high_risk_countries: ['KP'] } })
  const path = join(directory, 'country.mmdb')
  await writeGeoipFile(path, { 81: 'GB', 175: 'KP' })
  const { api, people } = controls.stage
  const app = createApp({ ...api.dependencies, geography: await openGeography(path) })
  const from = async (ip: string) => {
    const sent = JSON.stringify(body())
    const call = { method: 'POST', path: '/api/v1/withdrawals', body: sent }
    const response = await app.request(
      `http://api.test${call.path}`,
      {
        method: 'POST',
        headers: { ...signedHeaders(people[0].key, call), 'Content-Type': 'application/json' },
        body: sent,
      },
      { incoming: { url: call.path, socket: { remoteAddress: ip } } },
    )
    const { data } = (await response.json()) as {
      data: { risk: { factors: { name: string; score: number; reason: string }[] } }
    }
    const found = data.risk.factors.find((factor) => factor.name === 'geography')
    return [found?.score, found?.reason]
  }
  expect(await from('81.2.69.142')).toEqual([0, 'Asked for from GB'])
  expect(await from('175.45.176.1')).toEqual([100, 'Asked for from KP, which the policy calls high-risk'])
  expect(await from('10.0.0.1')).toEqual([
    0,
    'Neutral: the GeoIP database does not know where this came from',
  ])
})
