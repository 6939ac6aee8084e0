/** The order in which requests go to a signer. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { observeChainNonce } from '../../../db/payouts/attempts/allocate-nonce.js'
import { claimRequests } from '../../../db/signing/claim-requests.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

let stage: Stage
let made = 0
beforeAll(async () => {
  stage = await startStage({
    networks: testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' }),
  })
  await stage.credit('ethereum', 'eth', '', 10n ** 22n)
  await stage.credit('bitcoin', 'btc', '', 10n ** 12n)
})
afterAll(() => stage?.close())

/** Queues a request that waits for the signer, requested so long ago. */
async function queue(
  network: 'ethereum' | 'bitcoin',
  priority: string,
  minutesAgo: number,
  purpose = 'pay',
): Promise<string> {
  const { sql } = stage.api.database
  const evm = network === 'ethereum'
  const { status, json } = await stage.create({
    network,
    coin: evm ? 'eth' : 'btc',
    amount: '0.5',
    priority,
    to_address: evm
      ? '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
      : 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  const { id } = json.data
  const wallet = await stage.wallet(network, 'hot')
  made++
  await sql`
    UPDATE payouts SET stage = 'pending_signature', created_at = now() - ${minutesAgo} * interval '1 minute'
    WHERE id = ${id}`
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, state, payload, coin,
                              amount, max_fee, priority, purpose)
    VALUES (${`tx_${made}`}, ${stage.api.merchantId}, 'withdrawal', ${id}, 1, ${network}, ${evm ? wallet.id : null}, 'built',
            ${sql.json({ family: evm ? 'evm' : 'utxo', from: wallet.address })}, ${evm ? 'eth' : 'btc'}, 1, 1,
            ${priority}, ${purpose})`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id)
    VALUES (${`srq_${made}`}, ${stage.api.merchantId}, ${stage.signer.signerId}, ${`tx_${made}`}, ${id})`
  return id
}
const claim = async () =>
  (await claimRequests(stage.api.database.sql, stage.signer.signerId, 60_000)).map(
    (request) => request.intent.withdrawal,
  )

test('hands out urgent requests first, but not before older ones that waited long enough, and cancellations before all', async () => {
  const fresh = await queue('bitcoin', 'normal', 0)
  const low = await queue('bitcoin', 'low', 0)
  const urgent = await queue('bitcoin', 'urgent', 0)
  const aged = await queue('bitcoin', 'low', 41)
  const cancelling = await queue('bitcoin', 'low', 0, 'cancel')
  expect(await claim()).toEqual([cancelling, aged, urgent, fresh, low])
})

test('keeps no other network waiting behind a long queue of one wallet, whose most urgent request goes first', async () => {
  const { sql } = stage.api.database
  const { address } = await stage.wallet('ethereum', 'hot')
  await sql.begin((tx) => observeChainNonce(tx, 'ethereum', address, 0))
  for (let i = 0; i < 40; i++) await queue('ethereum', 'normal', 5)
  const urgent = await queue('ethereum', 'urgent', 0)
  const bitcoin = await queue('bitcoin', 'low', 0)
  expect(await claim()).toEqual([urgent, bitcoin])
  // One at a time: until that one is answered, the wallet allocates no other nonce.
  expect(await claim()).toEqual([])
  await sql`UPDATE signing_requests SET state = 'signed' WHERE payout_id = ${urgent}`
  expect(await claim()).toHaveLength(1)
})
