/** A pause of settlement on Bitcoin, before and after the signature. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BitcoinRail, openBitcoin } from '../stage/open-bitcoin.js'
import { pauseSettlement, resumeSettlement } from '../stage/settlement.js'
import type { Stage } from '../stage/start-stage.js'

let rail: BitcoinRail
let stage: Stage
beforeAll(async () => {
  rail = await openBitcoin({ outputs: 4 })
  stage = rail.stage
})
afterAll(() => rail?.close())

test('sends nothing that was approved or signed, until two people resume', async () => {
  const ask = () =>
    stage.request({
      network: 'bitcoin',
      coin: 'btc',
      amount: '0.1',
      to_address: rail.bitcoin.faucet.address,
    })
  const signed = await ask()
  await stage.approve(signed)
  await stage.until(signed, 'pending_signature')
  const [request] = (await stage.signer.claim(5)).requests
  if (!request) throw new Error('nothing was claimed')
  const queued = await ask()
  await stage.approve(queued)
  await stage.until(queued, 'pending_signature')

  await pauseSettlement(stage)
  await stage.signer.answer({ ...(await stage.signer.sign(request.payload)), request_id: request.id })
  await stage.until(signed, 'signed')
  expect((await stage.signer.claim()).requests).toEqual([])
  await sleep(1_500)
  for (const id of [signed, queued]) {
    expect((await stage.read(id)).waiting).toMatchObject({ code: 'SETTLEMENT_PAUSED' })
  }
  expect((await stage.read(signed)).stage).toBe('signed')

  stage.signer.run()
  await resumeSettlement(stage)
  for (const id of [signed, queued]) await stage.until(id, 'confirmed', 60)
}, 120_000)
