/** Many concurrent payouts from one EVM wallet. */

import { parseEther } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EthereumRail, openEthereum } from '../../stage/open-ethereum.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'

const COUNT = 200
let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('1000') })
  stage = rail.stage
})
afterAll(() => rail?.close())

const address = (number: number) =>
  `0x${(0xdddd_0000_0000n + BigInt(number)).toString(16).padStart(40, '5')}` as const

test('pays two hundred concurrent payouts from one wallet once each, with every nonce once', async () => {
  const { sql } = stage.api.database
  const ids = await Promise.all(
    Array.from({ length: COUNT }, async (_, number) => {
      const { status, json } = await stage.create({
        network: 'ethereum',
        coin: 'eth',
        amount: '0.1',
        to_address: address(number),
      })
      if (status !== 201) throw new Error(JSON.stringify(json))
      await stage.approve(json.data.id)
      return json.data.id as string
    }),
  )
  stage.signer.run(realSigner(stage))
  await untilAll(ids)
  const chain = rail.reader
  const hot = await stage.wallet('ethereum', 'hot')
  const used = await sql<{ nonce: bigint; payout_id: string }[]>`
    SELECT nonce, payout_id FROM attempts WHERE payout_id = ANY (${ids}) AND state = 'final' ORDER BY nonce`
  expect(used.map((row) => Number(row.nonce))).toEqual(Array.from({ length: COUNT }, (_, nonce) => nonce))
  expect(new Set(used.map((row) => row.payout_id)).size).toBe(COUNT)
  // The chain has as many transactions as there are payouts, and every address received its amount.
  expect(await chain.getTransactionCount({ address: hot.address as `0x${string}` })).toBe(COUNT)
  const paid = await Promise.all(
    Array.from({ length: COUNT }, (_, number) => chain.getBalance({ address: address(number) })),
  )
  expect(paid.every((balance) => balance === parseEther('0.1'))).toBe(true)
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await chain.getBalance({ address: hot.address as `0x${string}` }),
  )
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
}, 240_000)

/** Asks the database once for all, so that the wait does not slow down what it waits for. */
async function untilAll(ids: readonly string[]): Promise<void> {
  const { sql } = stage.api.database
  for (let attempt = 0; attempt < 2_000; attempt++) {
    const rows = await sql<{ stage: string; failure_message: string | null }[]>`
      SELECT stage, failure_message FROM payouts WHERE id = ANY (${[...ids]}) AND stage <> 'confirmed'`
    if (rows.length === 0) return
    const failed = rows.find((row) => row.failure_message !== null)
    if (failed) throw new Error(`${failed.stage}: ${failed.failure_message}`)
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error('not all were paid in time')
}
