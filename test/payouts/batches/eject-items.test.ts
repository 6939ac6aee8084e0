/** Ejecting items from parts of a batch. */

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../../db/new-id.js'
import { advanceBatch } from '../../../db/payouts/batches/advance-batch.js'
import { ejectItems } from '../../../db/payouts/batches/eject-items.js'
import { closeUnpaid } from '../../../db/payouts/close-unpaid.js'
import { lockWithdrawal } from '../../../db/payouts/payout-row.js'
import { settleWithdrawal } from '../../../db/payouts/settle-withdrawal.js'
import { startBuilding } from '../../../db/payouts/start-building.js'
import { parseAmount } from '../../../domain/money.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const ADDRESS = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
const networks = testNetworks({ BITCOIN_ENABLED: 'true' })
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks, environment: { KEYTURN_BATCH_OUTPUTS: '3' } })
  await stage.credit('bitcoin', 'btc', '', 100_000_000_000n)
})
afterAll(() => stage?.close())

const held = () => stage.balance('bitcoin', 'btc', 'reserved', '')
const available = () => stage.balance('bitcoin', 'btc', 'available', '')
const reason = { code: 'SANCTIONED', message: 'on the list' }

async function approvedBatch(amounts: readonly number[]) {
  const { sql } = stage.api.database
  const { json } = await stage.createBatch({
    batch_withdrawal: {
      network: 'bitcoin',
      coin: 'btc',
      outputs: amounts.map((amount) => ({
        to_address: ADDRESS,
        amount: `0.${String(amount).padStart(8, '0')}`,
      })),
    },
  })
  await stage.approve(json.data.id)
  await advanceBatch(sql, networks, json.data.id, new Date())
  return json.data.id as string
}

/** Settles what a part paid: it spent its amount and `fee` from the hot wallet. */
async function settle(partId: string, fee: bigint): Promise<void> {
  const { sql } = stage.api.database
  const hot = await stage.wallet('bitcoin', 'hot')
  const [row] = await sql<{ amount: bigint }[]>`SELECT amount FROM payouts WHERE id = ${partId}`
  const spent = [{ address_id: hot.id, txid: 'aa', vout: 0, amount: ((row?.amount ?? 0n) + fee).toString() }]
  const transactionId = newId('tx')
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount,
                              max_fee, inputs, block_number, block_hash)
    VALUES (${transactionId}, ${stage.api.merchantId}, 'withdrawal', ${partId}, 1, 'bitcoin', 'mined', '{}', 'btc',
            ${(row?.amount ?? 0n).toString()}, ${fee.toString()}, ${sql.json(spent)}, 1, '00')`
  await sql`UPDATE payouts SET stage = 'confirming' WHERE id = ${partId}`
  await settleWithdrawal(sql, networks, partId, {
    transactionId,
    blockNumber: 1,
    blockHash: '00',
    confirmations: 2,
    fee: fee.toString(),
    succeeded: true,
  })
}

test('holds exactly what was paid and released, for any items that are ejected or fail', async () => {
  const { sql } = stage.api.database
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ amount: fc.integer({ min: 1_000, max: 999_999 }), ejected: fc.boolean() }), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.infiniteStream(fc.constantFrom('settled', 'failed')),
      async (items, ends) => {
        const before = { held: await held(), available: await available() }
        const id = await approvedBatch(items.map((item) => item.amount))
        const parts = await sql<{ id: string; outputs: { index: number }[]; fee_limit: bigint }[]>`
          SELECT id, outputs, fee_limit FROM payouts WHERE batch_id = ${id} ORDER BY id`
        const all = items.reduce((sum, item) => sum + BigInt(item.amount), 0n)
        const limits = parts.reduce((sum, part) => sum + part.fee_limit, 0n)
        expect(before.held - (await held())).toBe(all + limits)
        const paid = new Set<number>()
        let fees = 0n
        for (const part of parts) {
          await startBuilding(sql, networks, part.id)
          const gone = part.outputs.filter((output) => items[output.index]?.ejected)
          // One after the other, as they are found.
          for (const { index } of gone) await ejectItems(sql, networks, part.id, [{ index, ...reason }])
          const left = part.outputs.filter((output) => !items[output.index]?.ejected)
          if (left.length === 0) continue
          if (ends.next().value === 'failed') {
            await sql.begin(async (tx) => {
              const row = await lockWithdrawal(tx, part.id)
              await closeUnpaid(tx, networks, row, { to: 'failed', actor: 'test', failure: reason })
            })
            continue
          }
          const fee = part.fee_limit / 3n
          await settle(part.id, fee)
          fees += fee
          for (const { index } of left) paid.add(index)
        }
        const total = items.reduce(
          (sum, item, index) => sum + (paid.has(index) ? BigInt(item.amount) : 0n),
          0n,
        )
        expect(await held()).toBe(before.held)
        expect((await available()) - before.available).toBe(total + fees)
        const view = await stage.readBatch(id)
        expect(view).toMatchObject({
          stage: 'completed',
          status:
            paid.size === 0 ? 'failed' : paid.size === items.length ? 'confirmed' : 'partially_confirmed',
          counts: { confirmed: paid.size, failed: items.length - paid.size },
        })
        expect(parseAmount(view.fee, 8)).toBe(fees)
        expect(view.items.map((item) => item.status === 'confirmed')).toEqual(
          items.map((_, index) => paid.has(index)),
        )
      },
    ),
    { numRuns: 12 },
  )
}, 120_000)

test('ejecting an item twice changes nothing the second time', async () => {
  const { sql } = stage.api.database
  const id = await approvedBatch([5_000, 6_000])
  const [part] = await sql<{ id: string }[]>`SELECT id FROM payouts WHERE batch_id = ${id}`
  const partId = part?.id ?? ''
  await startBuilding(sql, networks, partId)
  await ejectItems(sql, networks, partId, [{ index: 0, ...reason }])
  const after = await held()
  const again = await ejectItems(sql, networks, partId, [{ index: 0, ...reason }])
  expect(again?.outputs).toMatchObject([{ index: 1, amount: '6000' }])
  expect(again?.amount).toBe(6_000n)
  expect(await held()).toBe(after)
  const events = await sql<{ data: { status: string; items: { index: number; status: string }[] } }[]>`
    SELECT data FROM events WHERE subject = ${id} ORDER BY position`
  expect(events.at(-1)?.data).toMatchObject({ status: 'processing', items: [{ index: 0, status: 'failed' }] })
})
