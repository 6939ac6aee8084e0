/**
 * Destinations that come onto the sanctions list, on UTXO networks: withdrawals, parts of batches,
 * replacements.
 */

import { MockActivityEnvironment } from '@temporalio/testing'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { awaitSignature, type SignatureWait } from '../../../activities/payouts/withdrawal/await-signature.js'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import type { WithdrawalChainDependencies } from '../../../activities/payouts/withdrawal/dependencies.js'
import { pursueReplacement } from '../../../activities/payouts/withdrawal/pursue-replacement.js'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { replaceSanctions } from '../../../db/controls/sanctions/replace-sanctions.js'
import { BTC } from '../../stage/open-bitcoin.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const LISTED = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
const OTHER = 'bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry'
const networks = testNetworks({ BITCOIN_ENABLED: 'true', REPLACE_AUTOMATICALLY: 'true' })
let stage: Stage
let dependencies: WithdrawalChainDependencies

beforeAll(async () => {
  const rail = await openPaperRail({ networks, feeRate: 5, outputs: Array.from({ length: 20 }, () => BTC) })
  stage = rail.stage
  dependencies = { ...rail.dependencies, signatureLookMs: { online: 0, offline: 0 } }
})
beforeEach(() => sanction(''))
afterAll(() => stage?.close())

const sanction = (text: string) => replaceSanctions(stage.api.database.sql, text)
const held = () => stage.balance('bitcoin', 'btc', 'reserved', '')
const build = (id: string) => buildWithdrawal(dependencies, id)
const look = (id: string): Promise<SignatureWait> =>
  new MockActivityEnvironment().run(() => awaitSignature(dependencies, id))

/** Creates a withdrawal that two people approved. */
async function approved(): Promise<string> {
  const { json } = await stage.create({ network: 'bitcoin', coin: 'btc', amount: '0.1', to_address: LISTED })
  await stage.api.database.sql`UPDATE payouts SET stage = 'approved' WHERE id = ${json.data.id}`
  return json.data.id
}
const reservations = (id: string) =>
  stage.api.database.sql`SELECT 1 FROM utxo_reservations WHERE payout_id = ${id} AND released_at IS NULL`

test('builds nothing and releases nothing until a person accepts the hit, then builds', async () => {
  const before = await held()
  const id = await approved()
  await sanction(LISTED)
  expect(await build(id)).toEqual({ kind: 'done' })
  // Running the step a second time changes nothing, in any process.
  expect(await build(id)).toEqual({ kind: 'done' })
  const waits = await stage.read(id)
  expect([waits.stage, waits.review, waits.attempts]).toEqual(['pending_review', { required: true }, []])
  expect(await held()).toBeLessThan(before)
  expect(await reservations(id)).toHaveLength(0)
  const { status } = await stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${id}/review`,
    key: stage.people[2].key,
    body: { decision: 'approve', reason: 'another person of that name' },
  })
  expect(status).toBe(200)
  await stage.api.database.sql`UPDATE payouts SET stage = 'approved' WHERE id = ${id}`
  expect(await build(id)).toEqual({ kind: 'done' })
  expect((await stage.read(id)).stage).toBe('pending_signature')
  expect((await look(id)).kind).toBe('waiting')
})

test('takes back an unclaimed request of a batch, and builds it without the listed recipient', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.createBatch({
    batch_withdrawal: {
      network: 'bitcoin',
      coin: 'btc',
      outputs: [
        { to_address: LISTED, amount: '0.1' },
        { to_address: OTHER, amount: '0.2' },
      ],
    },
  })
  await sql`UPDATE batches SET stage = 'approved' WHERE id = ${json.data.id}`
  const [part] = await sql<{ id: string }[]>`
    UPDATE payouts SET stage = 'approved' WHERE batch_id = ${json.data.id} RETURNING id`
  if (!part) throw new Error('no part')
  await build(part.id)
  expect((await look(part.id)).kind).toBe('waiting')
  await sanction(LISTED)
  const claimed = async () =>
    (await stage.signer.claim()).requests.filter((request) => request.items !== null)
  expect(await claimed()).toEqual([])
  expect(await look(part.id)).toEqual({ kind: 'gone' })
  expect(await build(part.id)).toEqual({ kind: 'done' })
  const [request] = await claimed()
  expect(request?.items).toEqual([1])
  const view = await stage.readBatch(json.data.id)
  expect(view.items.map((item) => item.failure?.code ?? null)).toEqual(['SANCTIONED', null])
})

test('builds no further attempt of a sent payout, and drops one that no signer has claimed', async () => {
  const { sql } = stage.api.database
  const adapter = stage.adapters.get('bitcoin') as UtxoAdapter
  const id = await approved()
  await build(id)
  await sql`
    UPDATE attempts SET state = 'broadcast', signed_transaction = 'aa', txid = ${'ab'.repeat(32)},
                            broadcast_at = now() - interval '1 hour', created_at = now() - interval '1 hour'
    WHERE payout_id = ${id}`
  await sql`UPDATE signing_requests SET state = 'signed' WHERE payout_id = ${id}`
  const speedUp = {
    priority: 'high',
    max_fee: null,
    requested_by: 'api-key:key_1',
    requested_at: '2026-01-01T00:00:00Z',
  }
  await sql`UPDATE payouts SET stage = 'confirming', speed_up = ${sql.json(speedUp)} WHERE id = ${id}`
  await sanction(LISTED)
  expect(await pursueReplacement(dependencies, adapter, id)).toMatchObject({
    kind: 'waiting',
    code: 'SANCTIONED',
  })
  expect(await stage.read(id)).toMatchObject({ speed_up: null, waiting: { code: 'SANCTIONED' } })
  // It is stuck, so it is tried again automatically.
  expect(await pursueReplacement(dependencies, adapter, id)).toMatchObject({
    kind: 'waiting',
    code: 'SANCTIONED',
  })
  // An attempt that was built just before the address was listed.
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount, max_fee,
                              priority, purpose, cause, created_at)
    SELECT 'tx_further', merchant_id, subject_type, payout_id, 2, network, 'built', payload, coin, amount, max_fee, priority,
           'pay', 'lagging', created_at
    FROM attempts WHERE payout_id = ${id}`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id)
    VALUES ('srq_further', ${stage.api.merchantId}, ${stage.signer.signerId}, 'tx_further', ${id})`
  expect((await stage.signer.claim()).requests.filter((request) => request.intent.withdrawal === id)).toEqual(
    [],
  )
  expect(await pursueReplacement(dependencies, adapter, id)).toMatchObject({
    kind: 'waiting',
    code: 'SANCTIONED',
  })
  expect((await stage.read(id)).attempts.map((attempt) => attempt.state)).toEqual(['abandoned', 'broadcast'])
})
