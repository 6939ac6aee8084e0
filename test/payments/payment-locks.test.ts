/** Everything that locks payments and deposits, at the same time: no two of them wait for each other. */

import { expect, test } from 'vitest'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../db/deposits/credit-deposit.js'
import { advancePayment } from '../../db/payments/advance-payment.js'
import type { Payment } from '../../wire/payment.js'
import { networks, settle } from '../stage/deposit-steps.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

const PAYMENTS = 8
const ROUNDS = 4

test.each(['bitcoin', 'ethereum'] as const)(
  'lets scans, credits, reorgs, timers, cancellations and new attempts on %s pass each other',
  async (name) => {
    const stage = await startPaymentStage(name)
    const { sql } = stage.api.database
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const user = `user ${round}`
        const payments = await Promise.all([
          stage.open({ user_reference: user, amount: undefined }),
          ...Array.from({ length: PAYMENTS }, () => stage.open({ user_reference: user })),
        ])
        const ids = payments.map((each) => each.payment_id)
        for (const { address } of payments) for (let part = 0; part < 3; part++) stage.send(address, '0.4')
        await stage.mine(3)
        await sql`
          UPDATE payments SET created_at = created_at - interval '2 hours', expires_at = clock_timestamp() - interval '1 ms'
          WHERE id = ANY (${ids.slice(1, PAYMENTS / 2)})`
        for (const { address } of payments) stage.send(address, '0.1')
        const post = async (id: string, act: 'cancel' | 'reissue') =>
          (
            await stage.api.call({
              method: 'POST',
              path: `/api/v1/payments/${id}/${act}`,
              ...(act === 'reissue' ? { body: {} } : {}),
            })
          ).status
        const acts = () => ids.flatMap((id) => [post(id, 'cancel'), post(id, 'reissue'), post(id, 'reissue')])
        const timers = () => ids.toReversed().map((id) => advancePayment(sql, id))
        // Every deposit becomes creditable with the block that the scan applies meanwhile.
        const [statuses] = await Promise.all([Promise.all(acts()), stage.mine(2), settle(sql), ...timers()])
        const [again] = await Promise.all([
          Promise.all(acts()),
          stage.reorganise(name === 'bitcoin' ? 4 : 3),
          settle(sql),
          ...timers(),
        ])
        await creditBesideRevert(stage, payments)
        for (const status of [...statuses, ...again]) expect([200, 201, 409]).toContain(status)
        expect(await attemptsOf(stage, ids)).toBeLessThanOrEqual(1)
      }
      await sql`SELECT pg_stat_force_next_flush()`
      const [row] = await sql<{ deadlocks: bigint }[]>`
        SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`
      expect(row?.deadlocks).toBe(0n)
    } finally {
      await stage.close()
    }
  },
)

/** Credits a deposit of each payment while a reorg takes a credited one of the same payments back. */
async function creditBesideRevert(stage: PaymentStage, payments: readonly Payment[]): Promise<void> {
  const { sql } = stage.api.database
  const pay = async () => {
    const transactions = payments.map(({ address }) => stage.send(address, '0.01'))
    stage.model.mine()
    await stage.look()
    return transactions.map(({ txid }) => txid)
  }
  await pay()
  const taken = await pay()
  for (let block = 0; block < 3; block++) stage.model.mine()
  await stage.look()
  const rows = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ANY (${taken})`
  expect(rows).toHaveLength(payments.length)
  for (const { id } of rows) {
    await confirmDeposit(sql, networks, id)
    await creditDeposit(sql, networks, id)
  }
  await Promise.all([settle(sql), stage.reorganise(4), settle(sql)])
}

/** Returns the most attempts that took the place of one payment. */
async function attemptsOf(stage: PaymentStage, ids: readonly string[]): Promise<number> {
  const [row] = await stage.api.database.sql<{ most: number }[]>`
    SELECT coalesce(max(attempts), 0)::integer AS most FROM (
      SELECT count(*) AS attempts FROM payments WHERE attempt_of = ANY (${ids}) GROUP BY attempt_of) each`
  return row?.most ?? 0
}
