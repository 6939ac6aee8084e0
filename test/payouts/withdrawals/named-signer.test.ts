/** The intent names the signer that pays: people approve it, and nothing is built for another. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import type { WithdrawalChainDependencies } from '../../../activities/payouts/withdrawal/dependencies.js'
import { advanceBatch } from '../../../db/payouts/batches/advance-batch.js'
import { type Intent, intentHash } from '../../../domain/controls/intent.js'
import { BTC } from '../../stage/open-bitcoin.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const TO = {
  bitcoin: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
  ethereum: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
} as const
const COIN = { bitcoin: 'btc', ethereum: 'eth' } as const
const networks = testNetworks({ BITCOIN_ENABLED: 'true', ETHEREUM_ENABLED: 'true' })
let stage: Stage
let dependencies: WithdrawalChainDependencies

beforeAll(async () => {
  const outputs = Array.from({ length: 20 }, () => BTC)
  const rail = await openPaperRail({ networks, feeRate: 5, outputs, wei: 10n ** 20n })
  stage = rail.stage
  dependencies = { ...rail.dependencies, stepLimitMs: 1_000 }
})
afterAll(() => stage?.close())

const reserved = (network: 'bitcoin' | 'ethereum') => stage.balance(network, COIN[network], 'reserved', '')

const read = async (id: string) => {
  const [row] = await stage.api.database.sql<{ stage: string; intent: Intent; failure_message: string }[]>`
    SELECT * FROM payouts WHERE id = ${id}`
  if (!row) throw new Error(`${id} does not exist`)
  return row
}

const intentOf = async (path: string) =>
  (await stage.api.call({ path: `/api/v1/${path}/intent` })).json.data as {
    intent: Intent
    intent_hash: string
  }

/** Creates a withdrawal that two people approved. */
async function approved(network: 'bitcoin' | 'ethereum'): Promise<string> {
  const { json } = await stage.create({
    network,
    coin: COIN[network],
    amount: '0.1',
    to_address: TO[network],
  })
  await stage.api.database.sql`UPDATE payouts SET stage = 'approved' WHERE id = ${json.data.id}`
  return json.data.id
}

describe.each(['bitcoin', 'ethereum'] as const)('on %s', (network) => {
  async function approvedPart(): Promise<string> {
    const { sql } = stage.api.database
    const outputs = [1, 2].map((each) => ({ to_address: TO[network], amount: `0.${each}` }))
    const { json } = await stage.createBatch({
      batch_withdrawal: { network, coin: COIN[network], outputs },
    })
    const { intent, intent_hash } = await intentOf(`batches/${json.data.id}`)
    expect(intent.signer).toBe(stage.signer.signerId)
    expect(intentHash(intent)).toBe(intent_hash)
    await stage.approve(json.data.id)
    await advanceBatch(sql, networks, json.data.id, new Date())
    const [part] = await sql<{ id: string }[]>`
      SELECT id FROM payouts WHERE batch_id = ${json.data.id} ORDER BY id LIMIT 1`
    return part?.id ?? ''
  }

  test('names the signer that holds the wallets in a request and in its retry', async () => {
    const id = await approved(network)
    const { intent, intent_hash } = await intentOf(`withdrawals/${id}`)
    expect(intent.signer).toBe(stage.signer.signerId)
    expect(intentHash(intent)).toBe(intent_hash)
    await stage.api.database.sql`UPDATE payouts SET intent = intent - 'signer' WHERE id = ${id}`
    await buildWithdrawal(dependencies, id)
    const { json } = await stage.api.call({
      method: 'POST',
      path: `/api/v1/withdrawals/${id}/retry`,
      body: {},
    })
    expect(json.data.retry_of).toBe(id)
    expect((await read(json.data.id)).intent.signer).toBe(stage.signer.signerId)
  })

  test.each(['withdrawal', 'part of a batch'])(
    'ends a %s from a time when intents named no signer, and releases its hold',
    async (kind) => {
      const { sql } = stage.api.database
      const before = await reserved(network)
      const id = kind === 'withdrawal' ? await approved(network) : await approvedPart()
      await sql`UPDATE payouts SET intent = intent - 'signer' WHERE id = ${id}`
      await sql`
        UPDATE batches SET intent = intent - 'signer' WHERE id = (SELECT batch_id FROM payouts WHERE id = ${id})`
      expect(await buildWithdrawal(dependencies, id)).toEqual({ kind: 'done' })
      expect(await read(id)).toMatchObject({ stage: 'failed', failure_code: 'NO_SIGNER' })
      if (kind === 'withdrawal') expect(await reserved(network)).toBe(before)
    },
  )

  test.each(['withdrawal', 'part of a batch'])(
    'ends a %s whose signer was revoked instead of building it for another',
    async (kind) => {
      const { sql } = stage.api.database
      const id = kind === 'withdrawal' ? await approved(network) : await approvedPart()
      await sql`UPDATE signers SET revoked_at = now() WHERE id = ${stage.signer.signerId}`
      try {
        await buildWithdrawal(dependencies, id)
        const row = await read(id)
        expect(row).toMatchObject({ stage: 'failed', failure_code: 'NO_SIGNER' })
        expect(row.failure_message).toContain(stage.signer.signerId)
        const [request] = await sql`SELECT FROM signing_requests WHERE payout_id = ${id}`
        expect(request).toBeUndefined()
      } finally {
        await sql`UPDATE signers SET revoked_at = NULL WHERE id = ${stage.signer.signerId}`
      }
    },
  )
})

test('hands what the named signer can pay to it, with its name in the intent', async () => {
  const id = await approved('bitcoin')
  expect(await buildWithdrawal(dependencies, id)).toEqual({ kind: 'done' })
  const { requests } = await stage.signer.claim()
  const request = requests.find((each) => each.intent.withdrawal === id)
  if (!request) throw new Error('Nothing was handed out')
  expect(request.intent.signer).toBe(stage.signer.signerId)
  expect(intentHash(request.intent)).toBe(request.intent_hash)
})
