/** Payments that a payer pays with very many deposits, by mistake or to do harm. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAddress } from '../../domain/address/parse-address.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

/** Deposits in one block. */
const MANY = 500
/** Deposits that a payment shows. */
const SHOWN = 100

describe.each(['bitcoin', 'ethereum'] as const)('on %s', (name) => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage(name)
  })
  afterAll(() => stage?.close())

  test('counts every deposit of a block, reports them once, and shows the newest', async () => {
    const { sql } = stage.api.database
    const { address, payment_id: id } = await stage.open({ amount: name === 'bitcoin' ? '0.005' : undefined })
    const payee = parseAddress(stage.network, address).payee ?? ''
    const output = { payee, coin: stage.coin, amount: 1_000n }
    stage.model.mine([stage.model.transaction(Array.from({ length: MANY }, () => output))])
    await stage.look()
    const paid = await stage.read(id)
    expect(paid).toMatchObject({
      status: 'paid',
      flags: ['multiple_deposits'],
      amount_detected: name === 'bitcoin' ? '0.005' : '0.0000000000005',
    })
    expect(paid.deposits).toHaveLength(SHOWN)
    expect(await stage.reported(id)).toEqual(['pending', 'paid multiple_deposits'])
    const [event] = await sql<{ deposits: number; newest: string }[]>`
      SELECT jsonb_array_length(data -> 'deposits') AS deposits, data -> 'deposits' -> -1 ->> 'id' AS newest
      FROM events WHERE subject = ${id} ORDER BY position DESC LIMIT 1`
    const [newest] = await sql<{ id: string }[]>`SELECT max(id) AS id FROM deposits WHERE payment_id = ${id}`
    expect(event).toEqual({ deposits: SHOWN, newest: newest?.id })
    expect(paid.deposits.at(-1)?.id).toBe(newest?.id)
    const listed = await stage.api.call({ path: '/api/v1/payments?limit=100' })
    expect(listed.json.data[0].deposits).toHaveLength(SHOWN)
  })
})

test('wakes the workflow for a change of status or flags, and not for each deposit', async () => {
  const stage = await startPaymentStage('bitcoin')
  try {
    const { sql } = stage.api.database
    const { address, payment_id: id } = await stage.open()
    const woken = async () => {
      const [row] = await sql<{ wake_due: boolean }[]>`SELECT wake_due FROM payments WHERE id = ${id}`
      await sql`UPDATE payments SET wake_due = false WHERE id = ${id}`
      return row?.wake_due
    }
    expect(await woken()).toBe(true)
    const steps: unknown[] = []
    for (const amount of ['0.1', '0.1', '0.1', '0.1', '0.6']) {
      stage.send(address, amount)
      await stage.look()
      steps.push(await woken())
    }
    // Underpaid, several deposits, two sums that say nothing new, paid.
    expect(steps).toEqual([true, true, false, false, true])
  } finally {
    await stage.close()
  }
})

test('raises each deposit of a wrong coin, and none again after a reorg', async () => {
  const stage = await startPaymentStage('ethereum')
  try {
    const { address, payment_id: id } = await stage.open({ coin: 'usdt', amount: '10' })
    const first = stage.send(address, '1', 'eth')
    await stage.mine(1)
    stage.send(address, '2', 'eth')
    await stage.mine(1)
    expect(await stage.exceptions(id)).toEqual(['wrong_coin', 'wrong_coin'])
    await stage.reorganise(2)
    expect(await stage.read(id)).toMatchObject({ flags: [] })
    stage.model.send(first)
    await stage.mine(1)
    expect(await stage.read(id)).toMatchObject({ flags: ['wrong_coin'] })
    expect(await stage.exceptions(id)).toEqual(['wrong_coin', 'wrong_coin'])
  } finally {
    await stage.close()
  }
})
