/** Withdrawals that expire while they wait for people, signers or a build. */

import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ChainAdapter, EvmAdapter, EvmBuildRequest, EvmBuildResult } from '../../chains/adapter.js'
import { replaceSanctions } from '../../db/controls/sanctions/replace-sanctions.js'
import { withdrawalId } from '../../temporal/ids.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import { testNetworks } from '../stage/test-networks.js'
import { timeSkippingEnvironment } from '../support/time-skipping.js'

/** Returns a node that always builds, so that the tests wait for people and signers alone. */
function obliging(adapter: ChainAdapter): ChainAdapter {
  const evm: Partial<EvmAdapter> = {
    head: async () => ({ height: 1, hash: '0x01' }),
    balance: async () => 10n ** 20n,
    build: async (request) => {
      if (trouble) throw trouble
      return builtFor(request)
    },
  }
  return { ...adapter, ...evm } as ChainAdapter
}
function builtFor(request: EvmBuildRequest): EvmBuildResult {
  return {
    kind: 'built',
    payload: {
      family: 'evm',
      network: 'ethereum',
      chain_id: 31337,
      from: request.from,
      derivation_path: request.derivationPath,
      to: request.to,
      value: request.amount.toString(),
      data: '0x',
      gas: '21000',
      max_fee_per_gas: '2000000000',
      max_priority_fee_per_gas: '1000000000',
    },
    maxFee: 42_000_000_000_000n,
    chainNonce: 0,
  }
}

/** Error that every build throws, while it is set. */
let trouble: Error | null = null
let environment: TestWorkflowEnvironment
let stage: Stage
// The clock only goes forward, and a withdrawal expires by it, so each test has its own.
beforeEach(async () => {
  trouble = null
  environment = await timeSkippingEnvironment()
  stage = await startStage({
    networks: testNetworks({ ETHEREUM_ENABLED: 'true' }),
    wrap: obliging,
    signatureLookMs: { online: 0, offline: 0 },
    environment: { KEYTURN_WITHDRAWAL_EXPIRY: '1h' },
    temporal: {
      address: environment.address,
      namespace: environment.namespace ?? 'default',
      client: environment.client,
    },
  })
  await stage.credit('ethereum', 'eth', 'alice', 10n ** 19n)
  await stage.startWorker()
})
afterEach(async () => {
  await stage?.close()
  await environment?.teardown()
})

const ask = async (): Promise<string> => {
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
    user_reference: 'alice',
  })
  return json.data.id
}
const details = async (id: string): Promise<string> =>
  JSON.stringify(
    await environment.client.workflow.getHandle(withdrawalId(id)).query('__temporal_workflow_metadata'),
  )

test('expires without two approvals in time, and releases everything', async () => {
  const id = await ask()
  await stage.until(id, 'pending_approval')
  const [, first] = stage.people
  expect(await details(id)).toContain('Waiting for 2 more approvals of 2; expires ')
  await stage.decide(id, first)
  await expect
    .poll(() => details(id), { timeout: 10_000 })
    .toContain('Waiting for 1 more approval of 2; expires ')
  expect(await stage.ended(id, 'expired')).toMatchObject({ stage: 'expired' })
  expect(await stage.read(id)).toMatchObject({ status: 'failed', failure: { code: 'EXPIRED' } })
  expect(await stage.balance('ethereum', 'eth', 'available', 'alice')).toBe(-(10n ** 19n))
})

test('expires while the signer never comes, is built again meanwhile, and reserves nothing in the end', async () => {
  const id = await ask()
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  expect(await stage.ended(id, 'signer-away')).toMatchObject({ stage: 'expired' })
  const view = await stage.read(id)
  expect(view.failure?.message).toContain('signer')
  const { sql } = stage.api.database
  const attempts = await sql<{ state: string }[]>`SELECT state FROM attempts WHERE payout_id = ${id}`
  expect(attempts.length).toBeGreaterThan(1)
  expect(new Set(attempts.map((each) => each.state))).toEqual(new Set(['abandoned']))
  expect(await sql`SELECT 1 FROM nonces`).toHaveLength(0)
  expect((await stage.signer.claim()).requests).toEqual([])
  expect(await stage.balance('ethereum', 'eth', 'reserved', 'alice')).toBe(0n)
}, 120_000)

test('expires in time while it waits for a review of a listed destination, and releases everything', async () => {
  const { sql } = stage.api.database
  const id = await ask()
  await stage.until(id, 'pending_approval')
  await replaceSanctions(sql, (await stage.read(id)).to_address)
  await stage.approve(id)
  await stage.until(id, 'pending_review')
  expect(await stage.balance('ethereum', 'eth', 'reserved', 'alice')).toBeLessThan(0n)
  // The row moves within a step. The workflow shows it when the step has ended.
  await vi.waitFor(
    async () =>
      expect(await details(id)).toContain('because the destination is on the sanctions list; expires '),
    { timeout: 10_000, interval: 50 },
  )
  expect(await stage.ended(id, 'expired-in-review')).toMatchObject({ stage: 'expired' })
  expect(await stage.read(id)).toMatchObject({ status: 'failed', failure: { code: 'EXPIRED' } })
  expect(await stage.balance('ethereum', 'eth', 'reserved', 'alice')).toBe(0n)
})

test('releases nothing until a signer that has the request answers', async () => {
  const id = await ask()
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  const [request] = (await stage.signer.claim(5)).requests
  // Two days later nothing was released: the signer may have signed.
  await environment.sleep('2 days')
  expect(await stage.read(id)).toMatchObject({ stage: 'pending_signature' })
  expect(await stage.balance('ethereum', 'eth', 'reserved', 'alice')).toBeLessThan(0n)
  await stage.signer.answer({
    request_id: request?.id ?? '',
    outcome: 'refused',
    code: 'INTENT_EXPIRED',
    message: 'expired yesterday',
  })
  expect(await stage.ended(id, 'late-refusal')).toMatchObject({ stage: 'expired' })
  expect(await stage.balance('ethereum', 'eth', 'reserved', 'alice')).toBe(0n)
}, 120_000)

test.each([
  ['fails for an unexpected reason', new TypeError('undefined is not a function')],
  // Temporal retries the activity, so the workflow itself must end it.
  ['finds no database each time', Object.assign(new Error('terminating connection'), { code: '57P01' })],
])(
  'expires although its build %s, and releases everything',
  // The test server never ends the retries of a step whose schedule-to-close time is at a whole second of its
  // clock, which happens once in a thousand steps. So a run that hangs is repeated.
  { timeout: 60_000, retry: 2 },
  async (_what, error) => {
    trouble = error
    const id = await ask()
    await stage.approve(id)
    await stage.until(id, 'building')
    // The clock of the test server jumps ahead until the workflow ends, however many hours the worker needs.
    const handle = environment.client.workflow.getHandle(withdrawalId(id))
    expect(await handle.result()).toMatchObject({ stage: 'expired' })
    expect(await stage.read(id)).toMatchObject({ stage: 'expired', failure: { code: 'EXPIRED' } })
    expect(await stage.balance('ethereum', 'eth', 'reserved', 'alice')).toBe(0n)
  },
)
