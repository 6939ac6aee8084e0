/** Keeps claims inside what a signer reads. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import { takeAnswer } from '../../../activities/payouts/withdrawal/take-answer.js'
import { MAX_INPUTS, MAX_PAYLOAD_BYTES } from '../../../chains/utxo/spend/build-payout.js'
import { findAttempt, listAttempts } from '../../../db/payouts/attempts/find-attempts.js'
import { CLAIM_BYTES, FRAME_BYTES, MOST_AT_ONCE } from '../../../db/signing/claim-requests.js'
import {
  MAX_ANSWER_BYTES,
  MAX_OUTPUTS,
  MAX_PAYLOAD_INPUTS,
  MAX_REQUEST_BYTES,
} from '../../../domain/signing/signer-protocol.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

/** Coins of one payout. Each comes with a parent of 90 kB: 2.7 MB in all, 3.6 MB in base64. */
const COINS = 30
const PAYOUTS = 6
const COIN = 1_000_000n
const networks = testNetworks({ BITCOIN_ENABLED: 'true' })
let stage: Stage

beforeAll(async () => {
  const outputs = Array.from({ length: COINS * PAYOUTS }, () => COIN)
  stage = (await openPaperRail({ networks, feeRate: 5, outputs, parentBytes: () => 90_000 })).stage
  // Funds for the fees.
  await stage.credit('bitcoin', 'btc', '', 100_000_000n)
})
afterAll(() => stage?.close())

/**
 * Bytes in JSON of an intent’s output with the longest address and of its item, and of an approval with the
 * longest ids.
 */
const OUTPUT_BYTES = 130
const APPROVAL_BYTES = 600
const APPROVALS = 100

test('keeps what the platform builds and hands out inside what a signer reads and signs', () => {
  const around = MAX_OUTPUTS * OUTPUT_BYTES + APPROVALS * APPROVAL_BYTES + FRAME_BYTES
  expect(MAX_PAYLOAD_BYTES + around).toBeLessThan(MAX_REQUEST_BYTES)
  expect(CLAIM_BYTES + MOST_AT_ONCE * FRAME_BYTES).toBeLessThan(MAX_ANSWER_BYTES)
  expect(MAX_INPUTS).toBeLessThanOrEqual(MAX_PAYLOAD_INPUTS)
})

test('hands out six requests of 3.6 MB in answers below 16 MiB, and has all six signed', async () => {
  const { sql } = stage.api.database
  const dependencies = { sql, networks, adapters: stage.adapters }
  const ids: string[] = []
  for (let each = 0; each < PAYOUTS; each++) {
    const { json } = await stage.create({
      network: 'bitcoin',
      coin: 'btc',
      amount: '0.29',
      to_address: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
    })
    const { id } = json.data
    await stage.approve(id)
    await sql`UPDATE payouts SET stage = 'approved' WHERE id = ${id}`
    await buildWithdrawal(dependencies, id)
    ids.push(id)
  }
  const sizes = await sql<{ bytes: number; payload_bytes: number }[]>`
    SELECT octet_length(payload ->> 'psbt') AS bytes, payload_bytes FROM attempts`
  expect(sizes).toHaveLength(PAYOUTS)
  for (const { bytes, payload_bytes } of sizes) {
    expect(bytes).toBeGreaterThan(3_500_000)
    expect(bytes).toBeLessThan(MAX_PAYLOAD_BYTES)
    expect(payload_bytes - bytes).toBeLessThan(100)
  }
  const sign = realSigner(stage)
  for (const together of [4, 2]) {
    const response = await stage.signer.claim()
    const { requests } = response
    expect(JSON.stringify(response).length).toBeLessThan(MAX_ANSWER_BYTES)
    expect(requests).toHaveLength(together)
    for (const request of requests) {
      const stored = await stage.signer.answer({ ...(await sign(request)), request_id: request.id })
      expect(stored.status).toBe(200)
      await takeAnswer(dependencies, request.intent.withdrawal)
    }
  }
  for (const id of ids) expect(await stage.read(id)).toMatchObject({ stage: 'signed' })
}, 240_000)

test('reads no payload to wait for an answer or to follow what is sent', async () => {
  const { sql } = stage.api.database
  const [row] = await sql<{ payout_id: string }[]>`SELECT payout_id FROM attempts LIMIT 1`
  const id = row?.payout_id ?? ''
  expect(JSON.stringify((await findAttempt(sql, id))?.payload).length).toBeLessThan(1_000)
  const [attempt] = await listAttempts(sql, id)
  expect(attempt?.payload).toEqual({ family: 'utxo', network: 'bitcoin' })
})
