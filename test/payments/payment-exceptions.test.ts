/** Exceptions about the amounts of payments: once for each cause, and none where all is as agreed. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeGoneCauses } from '../../db/books/exceptions/close-gone-causes.js'
import { expirePayment, type PaymentStage, startPaymentStage } from '../stage/payments.js'

let stage: PaymentStage
beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
})
afterAll(() => stage?.close())

/** Opens a payment of 1, sends these amounts one after the other, and mines them deep. */
async function paid(amounts: readonly string[], fields: object = {}): Promise<string> {
  const { address, payment_id: id } = await stage.open({ user_reference: `u${++users}`, ...fields })
  for (const amount of amounts) {
    stage.send(address, amount)
    await stage.look()
  }
  await stage.mine(4)
  return id
}
let users = 0

/** Returns the exceptions about a payment, newest first, as `kind status` or `kind resolution`. */
async function queued(id: string): Promise<string[]> {
  const { json } = await stage.api.call({ path: `/api/v1/exceptions?payment_id=${id}` })
  return json.data.map(
    (each: { kind: string; status: string; resolution: string | null }) =>
      `${each.kind} ${each.resolution ?? each.status}`,
  )
}

describe('a payment', () => {
  test.each([
    ['paid once', ['1'], {}, []],
    ['paid in two parts', ['0.4', '0.6'], {}, []],
    ['paid within its tolerance', ['0.99'], { tolerance: { percent: '1' } }, []],
    ['paid twice', ['1', '1'], {}, ['duplicate']],
    ['paid three times', ['1', '1', '0.1'], {}, ['duplicate', 'duplicate']],
    ['paid too much at once', ['1.5'], {}, ['wrong_amount']],
    ['paid too much in two parts', ['0.6', '0.6'], {}, ['wrong_amount']],
    ['paid a little too much, within its tolerance', ['1.01'], { tolerance: { percent: '1' } }, []],
    ['without an amount, paid twice', ['1', '2'], { amount: undefined }, []],
  ])('%s', async (_, amounts, fields, kinds) => {
    const id = await paid(amounts, fields)
    expect((await stage.read(id)).status).toBe('confirmed')
    expect(await stage.exceptions(id)).toEqual(kinds)
  })

  test('that ends with a part of its amount has one, with both values, and one without anything has none', async () => {
    const part = await paid(['0.4'])
    const none = await paid([])
    for (const id of [part, none]) await stage.expire(id)
    await expirePayment(stage.api.database.sql, part)
    expect(await stage.exceptions(none)).toEqual([])
    const { json } = await stage.api.call({ path: `/api/v1/exceptions?payment_id=${part}` })
    expect(json.data).toMatchObject([
      {
        kind: 'wrong_amount',
        detail: 'payment.underpaid',
        expected: '1 btc',
        actual: '0.4 btc',
        status: 'open',
      },
    ])
    const [{ id }] = json.data
    const detail = (await stage.api.call({ path: `/api/v1/exceptions/${id}` })).json.data
    expect(detail.payment_history.map((each: { status: string }) => each.status)).toEqual([
      'pending',
      'pending',
      'expired',
    ])
  })

  test.each([
    ['soon after its end is as agreed', '5 minutes', []],
    ['long after its end is late confirmed', '2 hours', ['late_confirmed']],
  ])('that was paid in time and confirmed %s', async (_, ago, kinds) => {
    const { address, payment_id: id } = await stage.open({ user_reference: `u${++users}` })
    stage.send(address, '1')
    await stage.look()
    // The deposit was seen before the end, which is over now. Three blocks usually take half an hour.
    await stage.api.database.sql`
      UPDATE deposits SET detected_at = detected_at - ${ago}::interval WHERE payment_id = ${id}`
    await stage.api.database.sql`
      UPDATE payments SET created_at = created_at - interval '3 hours',
        expires_at = (SELECT detected_at + interval '1 ms' FROM deposits WHERE payment_id = ${id}) WHERE id = ${id}`
    await stage.mine(4)
    expect((await stage.read(id)).status).toBe('confirmed')
    expect(await stage.exceptions(id)).toEqual(kinds)
  })

  test('is paid twice again when a deposit that was gone comes back', async () => {
    const { address, payment_id: id } = await stage.open({ user_reference: `u${++users}` })
    const first = stage.send(address, '1')
    await stage.mine(1)
    const second = stage.send(address, '1')
    await stage.mine(1)
    expect(await queued(id)).toEqual(['duplicate open'])
    await stage.reorganise(2)
    expect(await closeGoneCauses(stage.api.database.sql)).toBe(1)
    stage.model.send(second)
    await stage.mine(1)
    expect(await queued(id)).toEqual(['duplicate cause_gone'])
    stage.model.send(first)
    await stage.mine(1)
    expect(await queued(id)).toEqual(['duplicate open', 'duplicate cause_gone'])
    await stage.mine(4)
    expect(await closeGoneCauses(stage.api.database.sql)).toBe(0)
    expect(await queued(id)).toEqual(['duplicate open', 'duplicate cause_gone'])
  })

  test('has a late deposit again when the replaced transaction is mined after all', async () => {
    const { address, payment_id: id } = await stage.open({ user_reference: `u${++users}` })
    await stage.expire(id)
    const first = stage.send(address, '1')
    await stage.look()
    stage.send(address, '0.9', undefined, first.inputs)
    await stage.look()
    expect(await closeGoneCauses(stage.api.database.sql)).toBe(1)
    expect(await queued(id)).toEqual(['late open', 'late cause_gone'])
    stage.model.mine([first])
    await stage.look()
    expect(await queued(id)).toEqual(['late open', 'late open', 'late cause_gone'])
    expect(await closeGoneCauses(stage.api.database.sql)).toBe(1)
    expect((await queued(id)).filter((each) => each === 'late open')).toHaveLength(1)
  })

  test('that was paid in time and once more afterwards has one exception about the second amount', async () => {
    const { address, payment_id: id } = await stage.open({ user_reference: `u${++users}` })
    stage.send(address, '1')
    await stage.look()
    await stage.api.database.sql`
      UPDATE payments SET created_at = created_at - interval '1 hour',
        expires_at = (SELECT detected_at + interval '1 ms' FROM deposits WHERE payment_id = ${id}) WHERE id = ${id}`
    stage.send(address, '1')
    await stage.look()
    await stage.mine(4)
    expect(await stage.read(id)).toMatchObject({ status: 'confirmed', amount_detected: '2' })
    expect(await stage.exceptions(id)).toEqual(['late'])
  })

  test('whose payer replaces a transaction is not paid twice', async () => {
    const { address, payment_id: id } = await stage.open({ user_reference: `u${++users}` })
    const input = `${'ab'.repeat(31)}${String(users).padStart(2, '0')}:0`
    stage.send(address, '1', undefined, [input])
    await stage.look()
    stage.send(address, '1', undefined, [input])
    await stage.look()
    await stage.mine(4)
    expect((await stage.read(id)).amount_detected).toBe('1')
    expect(await stage.exceptions(id)).toEqual([])
  })
})

test('a deposit without a user that was attributed is not to be attributed again after a reorg', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'stray', network: 'bitcoin' },
  })
  const { id, address } = json.data
  await sql`UPDATE addresses SET user_reference = NULL WHERE id = ${id}`
  stage.send(address, '1')
  await stage.look()
  await stage.mine(4)
  const raised = () => sql<{ status: string; resolution: string | null }[]>`
    SELECT exception.status, exception.resolution FROM exceptions exception
    JOIN deposits deposit ON deposit.id = exception.subject_id
    WHERE exception.kind = 'unattributed' AND deposit.address_id = ${id} ORDER BY exception.id`
  expect(await raised()).toMatchObject([{ status: 'open' }])
  await sql`
    UPDATE exceptions SET status = 'resolved', resolution = 're_attribute', resolved_at = now()
    WHERE kind = 'unattributed'`
  const lost = await stage.reorganise(4)
  stage.model.mine([...lost])
  await stage.mine(4)
  const [deposit] = await sql`SELECT status, epoch FROM deposits WHERE address_id = ${id}`
  expect(deposit).toMatchObject({ status: 'success', epoch: 1 })
  expect(await raised()).toMatchObject([{ status: 'resolved', resolution: 're_attribute' }])
})
