/** Answers of a signer that no workflow has read yet. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { unheardAnswers } from '../../../db/signing/unheard-answers.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks: testNetworks({ ETHEREUM_ENABLED: 'true' }) })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
})
afterAll(() => stage?.close())

test('lists an answer while its withdrawal waits, unless it is fresh', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
  })
  const { id } = json.data
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount, max_fee)
    VALUES ('tx_1', ${stage.api.merchantId}, 'withdrawal', ${id}, 1, 'ethereum', 'built', '{}', 'eth', 1, 1)`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, state)
    VALUES ('srq_1', ${stage.api.merchantId}, ${stage.signer.signerId}, 'tx_1', ${id}, 'leased')`
  await sql`UPDATE payouts SET stage = 'pending_signature' WHERE id = ${id}`
  expect(await unheardAnswers(sql, 0)).toEqual([])
  await sql`UPDATE signing_requests SET state = 'signed', answered_at = now() - interval '10 seconds'`
  expect(await unheardAnswers(sql, 60_000)).toEqual([])
  expect(await unheardAnswers(sql, 5_000)).toEqual([{ id, merchantId: stage.api.merchantId }])
  await sql`UPDATE payouts SET stage = 'signed' WHERE id = ${id}`
  expect(await unheardAnswers(sql, 5_000)).toEqual([])
})
