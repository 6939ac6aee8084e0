/** Payments whose expiry meets a deposit, and workers whose clocks are wrong. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { inTransaction } from '../../db/connect.js'
import { advancePayment } from '../../db/payments/advance-payment.js'
import { lockPayments } from '../../db/payments/payment-row.js'
import { wakeLatePayments } from '../../db/payments/pending-payments.js'
import { savePayment } from '../../db/payments/save-payment.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

describe.each(['bitcoin', 'ethereum'] as const)('on %s', (name) => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage(name)
  })
  afterAll(() => stage?.close())
  afterEach(() => {
    vi.useRealTimers()
  })

  test('flags and raises a deposit that is recorded while its payment expires', async () => {
    const { sql } = stage.api.database
    const { address, payment_id: id } = await stage.open({ user_reference: 'same moment' })
    stage.send(address, '1')
    stage.model.mine()
    let scanned: Promise<void> = Promise.resolve()
    await inTransaction(sql, async (tx) => {
      const [payment] = await lockPayments(tx, [id])
      if (!payment) throw new Error('There is no payment')
      scanned = stage.look()
      await vi.waitFor(async () =>
        expect(
          await sql`
            SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE OF payment%'`,
        ).toHaveLength(1),
      )
      await sleep(20)
      // The deposit was seen before this time, and is written after the expiry.
      const expiresAt = new Date()
      await tx`UPDATE payments SET created_at = created_at - interval '1 hour', expires_at = ${expiresAt} WHERE id = ${id}`
      const value = {
        status: 'expired' as const,
        flags: [],
        detected: 0n,
        confirmed: 0n,
        reorged: false,
      }
      const row = { ...payment, expires_at: expiresAt, now: new Date() }
      await savePayment(tx, row, value, { kind: 'timer', id: null })
    })
    await scanned
    await stage.mine(4)
    expect(await stage.read(id)).toMatchObject({
      status: 'expired',
      flags: ['late'],
      amount_detected: '1',
      amount_confirmed: '1',
    })
    expect(await stage.exceptions(id)).toEqual(['late'])
    await stage.reorganise(5)
    expect(await stage.read(id)).toMatchObject({ status: 'expired', flags: [] })
  })

  test.each([
    ['before', ['expire', 'look']],
    ['after', ['look', 'expire']],
  ] as const)(
    'keeps a deposit late that was mined in time and seen afterwards, when the timer fires %s the scan',
    async (_order, steps) => {
      const { sql } = stage.api.database
      const { address, payment_id: id } = await stage.open({ user_reference: 'paused' })
      const transaction = stage.send(address, '1')
      const minedAt = Math.floor(Date.now() / 1_000) - 5_400
      stage.model.mine(undefined, minedAt)
      // The watcher stands still until the payment, which began two hours ago, has ended.
      await sql`
      UPDATE payments SET created_at = clock_timestamp() - interval '2 hours', expires_at = clock_timestamp() - interval '1 hour'
      WHERE id = ${id}`
      for (const step of steps) await (step === 'look' ? stage.look() : advancePayment(sql, id))
      await stage.mine(4)
      expect(await stage.read(id)).toMatchObject({
        status: 'expired',
        flags: ['late'],
        amount_detected: '1',
        amount_confirmed: '1',
      })
      const [raised] = await sql<{ data: Record<string, unknown> }[]>`
      SELECT data FROM events WHERE type = 'exception.raised' AND subject = ${id} AND data ->> 'kind' = 'late'`
      expect(raised?.data).toMatchObject({
        transaction_hash: transaction.txid,
        block_time: new Date(minedAt * 1_000).toISOString(),
        message: expect.stringContaining('is older than the end of its payment'),
      })
      expect(await stage.exceptions(id)).toEqual(['late'])
    },
  )

  test.each([
    [0, 'late'],
    [1, 'in time'],
  ])('counts a deposit that is seen %i ms before the expiry as %s', async (early, counts) => {
    const { sql } = stage.api.database
    const { address, payment_id: id } = await stage.open()
    stage.send(address, '0.5')
    await stage.look()
    await sql`
      UPDATE payments SET created_at = created_at - interval '1 hour', expires_at =
        (SELECT detected_at FROM deposits WHERE payment_id = ${id}) + ${early} * interval '1 millisecond' WHERE id = ${id}`
    await advancePayment(sql, id)
    expect(await stage.read(id)).toMatchObject({
      status: 'expired',
      flags: counts === 'late' ? ['underpaid', 'late'] : ['underpaid'],
    })
  })

  test.each([
    ['a late deposit', 'late', 'deposit'],
    ['a new attempt', 'reissued', 'api'],
  ] as const)(
    'says that its time ended a payment, also when %s comes before its timer',
    async (_what, flag, kind) => {
      const { sql } = stage.api.database
      const { address, payment_id: id } = await stage.open({ user_reference: 'late timer' })
      await sql`
        UPDATE payments SET created_at = created_at - interval '2 hours', expires_at = clock_timestamp() - interval '1 ms'
        WHERE id = ${id}`
      if (flag === 'late') {
        stage.send(address, '1')
        await stage.look()
      } else {
        await stage.api.call({ method: 'POST', path: `/api/v1/payments/${id}/reissue`, body: {} })
      }
      expect(await stage.reported(id)).toEqual(['pending', 'expired', `expired ${flag}`])
      const { history } = await stage.read(id)
      expect(history.map(({ status, flags, cause }) => [status, ...flags, cause.kind])).toEqual([
        ['pending', 'api'],
        ['expired', 'timer'],
        ['expired', flag, kind],
      ])
      await advancePayment(sql, id)
      expect(await stage.reported(id)).toHaveLength(3)
    },
  )

  test('expires a payment whose deposit a reorg took back for good, also when its workflow is lost', async () => {
    const { sql } = stage.api.database
    const { address, payment_id: id } = await stage.open()
    stage.send(address, '1')
    await stage.mine(1)
    await stage.reorganise(1)
    const end = async (hours: number) => {
      await sql`
        UPDATE payments SET created_at = clock_timestamp() - interval '3 days', wake_due = false,
          expires_at = clock_timestamp() - ${hours} * interval '1 hour' WHERE id = ${id}`
      await wakeLatePayments(sql)
      const [row] = await sql<{ wake_due: boolean }[]>`SELECT wake_due FROM payments WHERE id = ${id}`
      return row?.wake_due
    }
    expect(await end(23)).toBe(false)
    expect(await end(25)).toBe(true)
    await advancePayment(sql, id)
    expect(await stage.read(id)).toMatchObject({ status: 'expired' })
  })

  test.each([
    ['fast', 2 * 3_600_000],
    ['slow', -2 * 3_600_000],
  ])('counts by the clock of the database, also when that of the watcher is %s', async (_which, off) => {
    const paid = await stage.open()
    const expired = await stage.open()
    await stage.expire(expired.payment_id)
    for (const { address } of [paid, expired]) stage.send(address, '1')
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + off })
    await stage.look()
    stage.model.mine()
    await stage.look()
    vi.useRealTimers()
    expect(await stage.read(paid.payment_id)).toMatchObject({ status: 'paid', flags: [] })
    expect(await stage.read(expired.payment_id)).toMatchObject({ status: 'expired', flags: ['late'] })
    expect(await stage.exceptions(expired.payment_id)).toEqual(['late'])
  })
})
