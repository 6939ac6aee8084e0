/** Compares payments with a plain recomputation from the deposits, after random acts on a chain of each family. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Sql } from '../../db/connect.js'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { holdDeposit } from '../../db/deposits/hold-deposit.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { Payment } from '../../wire/payment.js'
import { networks } from '../stage/deposit-steps.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

type Act =
  | { readonly kind: 'send'; readonly to: number; readonly tenths: number; readonly coin: number }
  | { readonly kind: 'double_spend'; readonly pick: number; readonly to: number }
  | { readonly kind: 'look' }
  | { readonly kind: 'mine'; readonly blocks: number }
  | { readonly kind: 'hold'; readonly blocks: number }
  | { readonly kind: 'decide'; readonly pick: number; readonly verdict: 'release' | 'reject' }
  | { readonly kind: 'reorganise'; readonly depth: number; readonly again: boolean }
  | { readonly kind: 'expire'; readonly to: number }
  | { readonly kind: 'cancel'; readonly to: number }

const to = fc.nat({ max: 3 })
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      to,
      tenths: fc.integer({ min: 1, max: 12 }),
      coin: fc.nat({ max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('double_spend' as const), pick: fc.nat(), to }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'look' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('mine' as const), blocks: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('reorganise' as const),
      depth: fc.integer({ min: 1, max: 6 }),
      again: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('hold' as const), blocks: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      pick: fc.nat(),
      verdict: fc.constantFrom('release' as const, 'reject' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), to }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), to }) },
)

test.each(['bitcoin', 'ethereum'] as const)(
  'keeps payments on %s equal to their deposits after any transfers, reorgs, reviews, timers and cancellations',
  async (name) => {
    const stage = await startPaymentStage(name)
    let users = 0
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 25 }), async (acts) => {
          const payments = await Promise.all([
            stage.open(),
            stage.open({ tolerance: { percent: '10' } }),
            stage.open({ amount: '0.5' }),
            stage.open({ amount: undefined, user_reference: `open-${++users}` }),
          ])
          for (const each of acts) {
            await perform(stage, payments, each)
            for (const payment of payments) await compare(stage, payment)
          }
        }),
        { numRuns: Number(process.env.KEYTURN_PROPERTY_RUNS ?? 12), endOnFailure: true },
      )
    } finally {
      await stage.close()
    }
  },
  600_000,
)

async function perform(stage: PaymentStage, payments: readonly Payment[], each: Act): Promise<void> {
  const target = (index: number) => payments[index % payments.length] as Payment
  switch (each.kind) {
    case 'send': {
      const other = each.coin === 0 ? stage.network.coins.find(({ name }) => name !== stage.coin) : undefined
      stage.send(target(each.to).address, formatAmount(BigInt(each.tenths), 1), other?.name)
      return
    }
    case 'double_spend': {
      const waiting = [...stage.model.mempool.values()]
      const victim = waiting[each.pick % Math.max(1, waiting.length)]
      if (victim) stage.send(target(each.to).address, '0.7', undefined, victim.inputs)
      return
    }
    case 'look':
      return stage.look()
    case 'mine':
      return stage.mine(each.blocks)
    case 'hold': {
      const { sql } = stage.api.database
      for (let block = 0; block < each.blocks; block++) stage.model.mine()
      await stage.look()
      const open = await sql<
        { id: string }[]
      >`SELECT id FROM deposits WHERE status = 'unconfirmed' ORDER BY id`
      for (const { id } of open) {
        const { kind } = await confirmDeposit(sql, networks, id)
        if (kind === 'confirmed') await holdDeposit(sql, networks, id, 'a review is needed')
      }
      return
    }
    case 'decide': {
      const { sql } = stage.api.database
      const held = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE status = 'held' ORDER BY id`
      const id = held[each.pick % Math.max(1, held.length)]?.id
      const path = `/api/v1/deposits/${id}/${each.verdict}`
      if (id) await stage.api.call({ method: 'POST', path, body: { reason: 'examined' } })
      return
    }
    case 'reorganise': {
      const lost = await stage.reorganise(Math.min(each.depth, stage.model.height))
      if (each.again) for (const transaction of lost) stage.model.send(transaction)
      return
    }
    case 'expire':
      return stage.expire(target(each.to).payment_id)
    case 'cancel':
      await stage.api.call({ method: 'POST', path: `/api/v1/payments/${target(each.to).payment_id}/cancel` })
      return
  }
}

/** Computes the payment from the deposits and the ledger in another way than the product does. */
async function compare(stage: PaymentStage, { payment_id: id }: Payment): Promise<void> {
  const { sql } = stage.api.database
  const payment = await stage.read(id)
  const decimals = stage.network.coins[0]?.decimals ?? 0
  const rows = await sql<{ status: string; amount: bigint; late: boolean }[]>`
    SELECT deposit.status, deposit.amount,
           payment.status = 'cancelled' OR deposit.after_end OR deposit.detected_at >= payment.expires_at AS late
    FROM deposits deposit JOIN payments payment ON payment.id = deposit.payment_id
    WHERE payment.id = ${id} AND deposit.coin = payment.coin AND deposit.status NOT IN ('reverted', 'replaced')
      -- A rejection counts if the deposit was not held again after it.
      AND (deposit.status = 'held' AND deposit.decision ->> 'verdict' = 'reject'
               AND (deposit.decision ->> 'at')::timestamptz >= (deposit.history -> -1 ->> 'at')::timestamptz) IS NOT TRUE`
  const total = (some: typeof rows | (typeof rows)[number][]) =>
    some.reduce((sum, { amount }) => sum + amount, 0n)
  expect(payment.amount_detected).toBe(formatAmount(total(rows), decimals))
  expect(payment.amount_confirmed).toBe(formatAmount(await creditedBy(sql, id, stage.coin), decimals))

  const asked = payment.amount === null ? null : parseAmount(payment.amount, decimals)
  const least = asked === null ? 1n : payment.tolerance?.percent === '10' ? asked - asked / 10n : asked
  const inTime = rows.filter((row) => !row.late)
  const credited = inTime.filter((row) => row.status === 'success')
  if (payment.status === 'confirmed') expect(total(credited)).toBeGreaterThanOrEqual(least)
  if (payment.status === 'paid') expect(total(inTime)).toBeGreaterThanOrEqual(least)
  if (payment.status === 'paid') expect(total(credited)).toBeLessThan(least)
  if (payment.status === 'pending') expect(total(inTime)).toBeLessThan(least)
  expect(payment.flags.includes('late')).toBe(rows.some((row) => row.late))
  expect(payment.flags.includes('multiple_deposits')).toBe(rows.length > 1)
  expect(payment.flags.includes('overpaid')).toBe(asked !== null && total(rows) > asked)
  expect(payment.flags.includes('underpaid')).toBe(asked !== null && rows.length > 0 && total(rows) < least)

  // One event a transition, each with what the history says.
  const events = await sql<{ status: string; flags: string[] }[]>`
    SELECT data ->> 'status' AS status, data -> 'flags' AS flags FROM events
    WHERE type = 'payment.status_changed' AND subject = ${id} ORDER BY position`
  expect(events.map(({ status, flags }) => [status, flags])).toEqual(
    payment.history.map(({ status, flags }) => [status, flags]),
  )
  const last = payment.history.at(-1)
  expect([last?.status, last?.flags]).toEqual([payment.status, payment.flags])
}

/** Returns what the ledger credited to users for the deposits of a payment, reversals deducted. */
async function creditedBy(sql: Sql, id: string, coin: string): Promise<bigint> {
  const [row] = await sql<{ credited: bigint }[]>`
    SELECT coalesce(-sum(entry.amount), 0) AS credited
    FROM deposits deposit
    JOIN ledger_journals journal ON journal.reference = deposit.id
    JOIN ledger_entries entry ON entry.journal_id = journal.id
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE deposit.payment_id = ${id} AND deposit.coin = ${coin} AND account.kind = 'available'`
  return row?.credited ?? 0n
}
