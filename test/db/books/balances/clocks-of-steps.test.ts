/** Balances of the past while a deposit is booked, by a worker whose clock is not that of the database. */

import { afterEach, expect, test, vi } from 'vitest'
import { type BalanceFilter, getBalances } from '../../../../db/books/balances/get-balances.js'
import type { Sql } from '../../../../db/connect.js'
import { confirmDeposit } from '../../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../../db/deposits/credit-deposit.js'
import { releaseDeposit } from '../../../../db/deposits/decide-held-deposit.js'
import { holdDeposit } from '../../../../db/deposits/hold-deposit.js'
import { ChainModel } from '../../../stage/chain-model.js'
import { bitcoin, merchantWith, networks, scan } from '../../../stage/deposit-steps.js'
import { freshDatabase } from '../../../support/database.js'

afterEach(() => {
  vi.useRealTimers()
})

test.each([
  { clock: 'right', offsetMs: 0 },
  { clock: 'a minute fast', offsetMs: 60_000 },
  { clock: 'a minute slow', offsetMs: -60_000 },
])(
  'shows between the steps of a deposit what was so then, when the clock of the worker is $clock',
  async ({ offsetMs }) => {
    const { sql, drop } = await freshDatabase()
    try {
      const model = new ChainModel(bitcoin)
      const adapter = model.adapter()
      await scan(sql, adapter)
      const merchant = await merchantWith(sql)
      await sql`INSERT INTO merchant_rails VALUES (${merchant.id}, 'bitcoin', 'btc')`
      const address = await merchant.address('bitcoin', 'user')
      const scopes: BalanceFilter[] = [
        { merchantId: merchant.id },
        { merchantId: merchant.id, userReference: 'user' },
        { merchantId: merchant.id, addressId: address.id },
        { merchantId: merchant.id, depositAddresses: true },
      ]
      const pay = async (amount: bigint) => {
        const { txid } = model.pay({ payee: address.payee, coin: 'btc', amount })
        await scan(sql, adapter)
        const [row] = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${txid}`
        return row?.id ?? ''
      }
      const mine = async (blocks: number) => {
        for (let block = 0; block < blocks; block++) model.mine()
        await scan(sql, adapter)
      }
      let credited = ''
      let held = ''
      const steps: (() => Promise<unknown>)[] = [
        async () => {
          credited = await pay(5_000n)
          held = await pay(7_000n)
        },
        () => mine(1),
        () => mine(2),
        () => confirmDeposit(sql, networks, credited),
        () => confirmDeposit(sql, networks, held),
        () => creditDeposit(sql, networks, credited),
        () => holdDeposit(sql, networks, held, 'a review is needed'),
        () =>
          sql.begin((tx) =>
            releaseDeposit(tx, networks, {
              merchantId: merchant.id,
              id: held,
              by: 'test',
              reason: 'examined',
              actor: 'api-key:test',
            }),
          ),
        async () => {
          for (const transaction of model.orphan(4)) model.send(transaction)
          for (let block = 0; block < 5; block++) model.mine([])
          await scan(sql, adapter)
        },
        () => mine(3),
        () => confirmDeposit(sql, networks, credited),
      ]
      const seen: { readonly at: Date; readonly balances: unknown }[] = []
      for (const step of steps) {
        const now = await clockOf(sql)
        vi.useFakeTimers({ toFake: ['Date'], now: now.getTime() + offsetMs })
        await step()
        vi.useRealTimers()
        // Further steps happen in another millisecond, so that the instant is between them.
        await new Promise((resolve) => setTimeout(resolve, 3))
        const at = await clockOf(sql)
        await new Promise((resolve) => setTimeout(resolve, 3))
        seen.push({ at, balances: await Promise.all(scopes.map((scope) => getBalances(sql, scope))) })
      }

      for (const [index, { at, balances }] of seen.entries()) {
        const then = await Promise.all(scopes.map((scope) => getBalances(sql, { ...scope, asOf: at })))
        expect(then, `after step ${index}`).toEqual(balances)
      }
      // The history and the books agree to the millisecond.
      const times = await sql<{ step: string; agree: boolean }[]>`
        SELECT journal.type AS step, bool_and(EXISTS (
          SELECT FROM deposits CROSS JOIN jsonb_array_elements(history) line
          WHERE deposits.id = journal.reference AND journal.type = 'deposit.' || (line ->> 'status')
            AND (line ->> 'at')::timestamptz - entry.recorded_at >= interval '0'
            AND (line ->> 'at')::timestamptz - entry.recorded_at < interval '1 millisecond')) AS agree
        FROM ledger_journals journal JOIN ledger_entries entry ON entry.journal_id = journal.id
        GROUP BY journal.type ORDER BY journal.type`
      expect(times).toEqual(
        ['confirmed', 'reverted', 'success'].map((step) => ({ step: `deposit.${step}`, agree: true })),
      )
    } finally {
      vi.useRealTimers()
      await drop()
    }
  },
)

async function clockOf(sql: Sql): Promise<Date> {
  const [row] = await sql<{ now: Date }[]>`SELECT clock_timestamp() AS now`
  return row?.now ?? new Date(Number.NaN)
}
