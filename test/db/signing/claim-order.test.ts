/** The order in which requests go to a signer. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { observeChainNonce } from '../../../db/payouts/attempts/allocate-nonce.js'
import { claimRequests } from '../../../db/signing/claim-requests.js'
import { queueRequest } from '../../stage/queue-request.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

let stage: Stage
beforeAll(async () => {
  stage = await startStage({
    networks: testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' }),
  })
  await stage.credit('ethereum', 'eth', '', 10n ** 22n)
  await stage.credit('bitcoin', 'btc', '', 10n ** 12n)
})
afterAll(() => stage?.close())

const queue = (network: 'ethereum' | 'bitcoin', priority: string, minutesAgo: number, purpose = 'pay') =>
  queueRequest(stage, network, { priority, minutesAgo, purpose })
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
