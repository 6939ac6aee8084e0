/** Planning consolidations of outputs whose parents are large. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { planOutputConsolidation } from '../../../activities/payouts/movement/plan-output-consolidation.js'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { MAX_PAYLOAD_BYTES } from '../../../chains/utxo/spend/build-payout.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import { endPauses, pauseSettlement } from '../../stage/settlement.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'
import { withTreasury } from '../../stage/treasury.js'

const networks = withTreasury(testNetworks({ BITCOIN_ENABLED: 'true' }), 'bitcoin', {
  automatic: true,
  consolidation: { least: {}, worth: {}, maxFeePercent: 5, retryMs: 1_000, expiryMs: 3_600_000 },
  outputs: { maxFeeRate: 2, maxFeePercent: 25, small: 1_000_000n, count: 50 },
})
let stage: Stage

beforeAll(async () => {
  // 200 outputs just above dust, each of a transaction of 90 kB, and 20 that cost more to spend than they are
  // worth.
  const outputs = Array.from({ length: 220 }, (_, index) => (index < 200 ? 600n : 200n))
  const rail = await openPaperRail({
    networks,
    feeRate: 1,
    outputs,
    parentBytes: () => 90_000,
    kind: 'master',
  })
  stage = rail.stage
  await stage.credit('bitcoin', 'btc', '', 100_000_000n)
})
afterAll(() => stage?.close())

test('consolidates dust of large transactions in rounds that a signer accepts, until little is left, but not during a pause', async () => {
  const { sql } = stage.api.database
  const adapter = stage.adapters.get('bitcoin') as UtxoAdapter
  const dependencies = { sql, networks, adapters: stage.adapters }
  const input = {
    merchantId: stage.api.merchantId,
    network: 'bitcoin',
    coin: 'btc',
    id: stage.api.merchantId,
    title: 'small outputs',
  }
  await pauseSettlement(stage)
  expect(await planOutputConsolidation(dependencies, adapter, input, null)).toMatchObject({
    kind: 'nothing',
    message: expect.stringContaining('Settlement is paused'),
  })
  await endPauses(stage)
  const rounds: number[] = []
  let last: Parameters<typeof planOutputConsolidation>[3] = null
  for (;;) {
    const step = await planOutputConsolidation(dependencies, adapter, input, last)
    if (step.kind === 'nothing') break
    if (step.kind !== 'move') throw new Error(step.kind)
    const { id } = step.movement
    await sql`UPDATE payouts SET stage = 'approved' WHERE id = ${id}`
    await buildWithdrawal(dependencies, id)
    const [attempt] = await sql<{ inputs: { txid: string; amount: string }[]; bytes: number }[]>`
      SELECT inputs, octet_length(payload ->> 'psbt') AS bytes FROM attempts WHERE payout_id = ${id}`
    expect(attempt?.bytes).toBeLessThan(MAX_PAYLOAD_BYTES)
    expect(attempt?.inputs.every((each) => each.amount === '600')).toBe(true)
    rounds.push(attempt?.inputs.length ?? 0)
    // As if it were paid.
    await sql`UPDATE payouts SET stage = 'confirmed' WHERE id = ${id}`
    last = { id, stage: 'confirmed' }
  }
  expect(rounds.length).toBeGreaterThan(1)
  expect(rounds.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(150)
}, 120_000)
