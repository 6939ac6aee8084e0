/** Changes of the policy: who approves them, when they take effect, and what they require of withdrawals. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceControlChange } from '../../db/controls/changes/advance-control-change.js'
import { advanceWithdrawal } from '../../db/payouts/advance-withdrawal.js'
import { intentHash } from '../../domain/controls/intent.js'
import { controlChangeId } from '../../temporal/ids.js'
import { type Controls, startControls } from '../stage/start-controls.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const DAY_MS = 86_400_000
let controls: Controls
beforeAll(async () => {
  controls = await startControls()
  for (const user of ['alice', 'bob']) await controls.stage.credit('ethereum', 'usdt', user, 10n ** 13n)
  await controls.stage.credit('ethereum', 'eth', '', 10n ** 21n)
})
afterAll(() => controls?.close())

const limits = (daily: string) => ({
  limits: { user: [{ network: 'ethereum', coin: 'usdt', daily, monthly: null }] },
})
const change = async (id: string) => (await controls.call('GET', `/policy/changes/${id}`)).json.data
const policy = async () => (await controls.call('GET', '/policy')).json.data
const put = async (body: unknown) => {
  const { status, json } = await controls.call('PUT', '/policy', body)
  expect(status).toBe(202)
  return json.data
}
const becomes = (id: string, state: string) =>
  controls.until(async () => {
    const found = await change(id)
    return found.state === state ? found : false
  })
const ask = (amount: string, user = 'alice') =>
  controls.stage.create({ network: 'ethereum', coin: 'usdt', amount, to_address: TO, user_reference: user })

test('requires two approvals and limits nothing by default', async () => {
  expect(await policy()).toMatchObject({
    version: 0,
    limits: { merchant: [], user: [] },
    multisig_config: { enabled: false, required_signatures: 2 },
    whitelist: { mode: 'off' },
    pending_changes: [],
  })
  expect((await controls.call('GET', '/policy/changes/pol_unknown')).status).toBe(404)
})

test('applies a stricter rule as soon as two people who did not request it have approved, and not before', async () => {
  const { id, changes, effective_at, created_at } = await put(limits('5000.00'))
  expect(effective_at).toBe(created_at)
  expect(changes).toEqual([
    { field: 'limits.user.ethereum.usdt.daily', from: null, to: '5000', effect: 'tightening' },
  ])
  const path = `/policy/changes/${id}`
  const { intent, intent_hash } = (await controls.call('GET', `${path}/intent`)).json.data
  expect(intentHash(intent)).toBe(intent_hash)
  expect(intent).toMatchObject({ kind: 'policy', change: id, base_version: 0, cool_down_seconds: 86_400 })
  const [asker, first] = controls.stage.people
  expect((await controls.decide(path, asker)).json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
  expect((await controls.decide(path, first)).status).toBe(201)
  expect((await controls.decide(path, first)).json.error.code).toBe('ALREADY_DECIDED')
  expect(await policy()).toMatchObject({ version: 0, pending_changes: [id] })
  expect((await controls.decide(path, controls.stage.people[2])).status).toBe(201)
  await becomes(id, 'effective')
  expect(await policy()).toMatchObject({
    version: 1,
    limits: { user: [{ network: 'ethereum', coin: 'usdt', daily: '5000', monthly: null }] },
    pending_changes: [],
  })
  expect((await ask('5000.01')).json.error.code).toBe('DAILY_LIMIT_EXCEEDED')
  expect(await controls.result('policy', id)).toBe('effective')
})

test('delays a looser rule until the cool-down ends, but not a stricter one in the same change', async () => {
  const { id } = await put({ ...limits('9000'), risk: { threshold: 70 } })
  await controls.approve(`/policy/changes/${id}`)
  const cooling = await becomes(id, 'cooling_down')
  const approved = cooling.history.find((entry: { state: string }) => entry.state === 'cooling_down').at
  expect(Date.parse(cooling.effective_at) - Date.parse(approved)).toBe(DAY_MS)
  expect(await policy()).toMatchObject({ risk: { threshold: 70 }, limits: { user: [{ daily: '5000' }] } })
  expect((await ask('5000.01')).status).toBe(422)
  await controls.endCoolDown('policy', id)
  expect(await controls.result('policy', id)).toBe('effective')
  expect(await policy()).toMatchObject({ risk: { threshold: 70 }, limits: { user: [{ daily: '9000' }] } })
  expect((await ask('5000.01')).status).toBe(201)
})

test('drops a looser rule if a stricter one took effect meanwhile, and records that in the audit log', async () => {
  const loose = await put(limits('20000'))
  await controls.approve(`/policy/changes/${loose.id}`)
  await becomes(loose.id, 'cooling_down')
  const strict = await put(limits('100'))
  await controls.approve(`/policy/changes/${strict.id}`)
  await becomes(strict.id, 'effective')
  await controls.endCoolDown('policy', loose.id)
  expect(await controls.result('policy', loose.id)).toBe('superseded')
  expect(await change(loose.id)).toMatchObject({
    state: 'superseded',
    superseded: ['limits.user.ethereum.usdt.daily'],
  })
  expect(await policy()).toMatchObject({ limits: { user: [{ daily: '100' }] } })
  const [audit] = await controls.stage.api.database.sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM audit_log WHERE subject = ${loose.id} AND action = 'policy.change_superseded'`
  expect(audit?.data).toMatchObject({ superseded: ['limits.user.ethereum.usdt.daily'] })
})

test('ends a change at the first rejection, and never applies one that is cancelled while it cools down', async () => {
  const rejected = await put({ whitelist: { mode: 'required' } })
  await controls.decide(`/policy/changes/${rejected.id}`, controls.stage.people[1], 'reject')
  await becomes(rejected.id, 'rejected')
  const loose = await put(limits('30000'))
  await controls.approve(`/policy/changes/${loose.id}`)
  await becomes(loose.id, 'cooling_down')
  expect((await controls.call('DELETE', `/policy/changes/${loose.id}`)).json.data.state).toBe('revoked')
  expect(await controls.result('policy', loose.id)).toBe('revoked')
  expect(await policy()).toMatchObject({ whitelist: { mode: 'off' }, limits: { user: [{ daily: '100' }] } })
  expect((await controls.call('DELETE', `/policy/changes/${loose.id}`)).json.error.code).toBe('INVALID_STATE')
})

test('requires more signatures above a threshold, from the named signers and roles, as they were at creation', async () => {
  const { stage } = controls
  const { sql } = stage.api.database
  const [asker, first, second] = stage.people
  const keys = await sql<
    { id: string; ed25519_public_key: Buffer }[]
  >`SELECT id, ed25519_public_key FROM approvers`
  const signer = (id: string, role: string) => ({
    id,
    public_key: `0x${keys.find((key) => key.id === id)?.ed25519_public_key.toString('hex')}`,
    role,
  })
  const multisig_config = {
    enabled: true,
    required_signatures: 3,
    total_signers: 3,
    threshold_amount: '10.00',
    signers: [
      signer(asker.approverId, 'admin'),
      signer(first.approverId, 'finance'),
      signer(second.approverId, 'security'),
    ],
  }
  const refused = async (change: object) =>
    (await controls.call('PUT', '/policy', { multisig_config: { ...multisig_config, ...change } })).json.error
      ?.code
  expect(await refused({ total_signers: 4 })).toBe('VALIDATION_FAILED')
  expect(await refused({ required_signatures: 4 })).toBe('VALIDATION_FAILED')
  expect(await refused({ required_signatures: 1 })).toBe('VALIDATION_FAILED')
  expect(await refused({ signers: [signer(first.approverId, 'a')], total_signers: 1 })).toBe(
    'VALIDATION_FAILED',
  )
  const [one, , three] = multisig_config.signers
  const swapped = { ...one, public_key: three?.public_key }
  expect(await refused({ signers: [swapped, ...multisig_config.signers.slice(1)] })).toBe('VALIDATION_FAILED')
  const before = (await ask('11', 'bob')).json.data
  const { id } = await put({ multisig_config })
  await controls.approve(`/policy/changes/${id}`)
  await becomes(id, 'effective')
  const small = (await ask('10', 'bob')).json.data
  const large = (
    await stage.create(
      {
        network: 'ethereum',
        coin: 'usdt',
        amount: '10.000001',
        to_address: TO,
        user_reference: 'bob',
      },
      stage.api.key,
    )
  ).json.data
  expect([before.required_approvals, small.required_approvals, large.required_approvals]).toEqual([2, 2, 3])
  expect(large.required_signers).toEqual(multisig_config.signers.map((each) => each.id).sort())
  expect((await stage.read(before.id)).required_approvals).toBe(2)
  // An approver whom the policy does not name.
  const clerk = await stage.newPerson('clerk')
  expect((await stage.decide(large.id, clerk)).json.error.code).toBe('NOT_AN_APPROVER')
  await stage.approve(large.id)
  await stage.approve(before.id)
  // Two approvals are enough for the earlier withdrawal; the large one still waits for its third.
  await stage.until(before.id, 'approved')
  await advanceWithdrawal(sql, stage.networks, large.id, new Date())
  expect((await stage.read(large.id)).stage).toBe('pending_approval')
  await stage.decide(large.id, asker)
  await stage.until(large.id, 'approved')
})

test('lets approvers lower signatures again, replace a lost signer, and switch all of it off', async () => {
  const [, first, second] = controls.stage.people
  const before = (await policy()).multisig_config
  expect(before).toMatchObject({ enabled: true, required_signatures: 3 })
  const { sql } = controls.stage.api.database
  // The third signer is lost. A key without a person requests the change, and the two signers that remain
  // approve it.
  const substitute = await controls.stage.newPerson('substitute')
  const [key] = await sql<{ ed25519_public_key: Buffer }[]>`
    SELECT ed25519_public_key FROM approvers WHERE id = ${substitute.approverId}`
  const backend = await controls.stage.api.newKey()
  const putByBackend = async (body: unknown) =>
    (await controls.stage.api.call({ method: 'PUT', path: '/api/v1/policy', body, key: backend })).json.data
  const lost = before.signers.find((each: { id: string }) => each.id === controls.stage.people[0].approverId)
  const replaced = await putByBackend({
    multisig_config: {
      ...before,
      signers: before.signers.map((each: { id: string }) =>
        each === lost
          ? { ...lost, id: substitute.approverId, public_key: key?.ed25519_public_key.toString('base64') }
          : each,
      ),
    },
  })
  expect(replaced.changes).toMatchObject([{ field: 'multisig_config', effect: 'loosening' }])
  await controls.approve(`/policy/changes/${replaced.id}`)
  await becomes(replaced.id, 'cooling_down')
  await controls.endCoolDown('policy', replaced.id)
  expect(await controls.result('policy', replaced.id)).toBe('effective')
  const signers = (await policy()).multisig_config.signers.map((each: { id: string }) => each.id)
  expect(signers.sort()).toEqual([first.approverId, second.approverId, substitute.approverId].sort())

  const off = await putByBackend({ multisig_config: { ...(await policy()).multisig_config, enabled: false } })
  await controls.approve(`/policy/changes/${off.id}`)
  await becomes(off.id, 'cooling_down')
  await controls.endCoolDown('policy', off.id)
  expect(await controls.result('policy', off.id)).toBe('effective')
  expect((await policy()).multisig_config.enabled).toBe(false)
  expect((await ask('11', 'bob')).json.data.required_approvals).toBe(2)
})

test('records every step of a change as an event', async () => {
  const { id } = await put({ risk: { threshold: 66 } })
  await controls.approve(`/policy/changes/${id}`)
  await becomes(id, 'effective')
  const rows = await controls.stage.api.database.sql<{ type: string; data: Record<string, unknown> }[]>`
    SELECT type, data FROM events WHERE subject = ${id} ORDER BY position`
  expect(rows).toMatchObject([
    { type: 'policy.status_changed', data: { id, status: 'pending_approval', previous_status: null } },
    { type: 'policy.status_changed', data: { status: 'effective', previous_status: 'pending_approval' } },
  ])
  expect(rows[1]?.data.changes).toMatchObject([{ field: 'risk.threshold', to: 66 }])
})

test('rejects a policy that names what does not exist, and says what', async () => {
  const refused = async (body: unknown) => {
    const { status, json } = await controls.call('PUT', '/policy', body)
    return [status, json.error.code]
  }
  const row = { network: 'ethereum', coin: 'usdt', daily: '1' }
  expect(await refused({ limits: { user: [{ ...row, coin: 'shib' }] } })).toEqual([422, 'UNSUPPORTED_COIN'])
  expect(await refused({ limits: { user: [row, row] } })).toEqual([400, 'VALIDATION_FAILED'])
  expect(await refused({ limits: { user: [{ ...row, daily: 1 }] } })).toEqual([400, 'VALIDATION_FAILED'])
  const tier = { network: 'ethereum', coin: 'usdt', from: '100', confirmations: 12 }
  const again = { ...tier, from: '100.00', confirmations: 4 }
  expect(await refused({ confirmation_tiers: [tier, again] })).toEqual([400, 'VALIDATION_FAILED'])
  expect(await refused({ colour: 'red' })).toEqual([400, 'VALIDATION_FAILED'])
  expect(await refused({ whitelist: { mode: 'off' } })).toEqual([400, 'VALIDATION_FAILED'])
  expect(await refused({ risk: { threshold: 101 } })).toEqual([400, 'VALIDATION_FAILED'])
})

test('applies a confirmation tier to withdrawals that are requested after it took effect', async () => {
  const tier = { network: 'ethereum', coin: 'usdt', from: '5', confirmations: 7 }
  const { id } = await put({ confirmation_tiers: [tier, { ...tier, from: '0', confirmations: 1 }] })
  await controls.approve(`/policy/changes/${id}`)
  await becomes(id, 'effective')
  // A tier never requires fewer confirmations than the network does, which is 2.
  expect((await ask('4', 'bob')).json.data.required_confirmations).toBe(2)
  expect((await ask('5', 'bob')).json.data.required_confirmations).toBe(7)
})

test('shows operators what a change waits for', async () => {
  const { id } = await put(limits('777'))
  const handle = controls.temporal.client.workflow.getHandle(controlChangeId('policy', id))
  await controls.until(
    async () =>
      (await change(id)).state === 'pending_approval' &&
      (await handle.describe().catch(() => false)) !== false,
  )
  const described = await handle.describe()
  expect(await described.staticSummary()).toBe('Policy: limits.user.ethereum.usdt.daily')
})

test('expires a change that two people did not approve in time', async () => {
  const { id, expires_at } = await put({ whitelist: { mode: 'required' } })
  const { sql } = controls.stage.api.database
  expect(
    (await advanceControlChange(sql, controls.stage.networks, id, new Date(Date.parse(expires_at) - 1)))
      .state,
  ).toBe('pending_approval')
  expect((await advanceControlChange(sql, controls.stage.networks, id, new Date(expires_at))).state).toBe(
    'expired',
  )
  expect((await controls.decide(`/policy/changes/${id}`, controls.stage.people[1])).json.error.code).toBe(
    'ALREADY_DECIDED',
  )
})
