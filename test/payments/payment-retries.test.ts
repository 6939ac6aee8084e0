/** Requests of payments that are sent again with the same Idempotency-Key. */

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

let stage: PaymentStage
beforeAll(async () => {
  stage = await startPaymentStage('ethereum')
})
afterAll(() => stage?.close())

const post = (path: string, key: string, body: unknown) =>
  stage.api.call({
    method: 'POST',
    path: `/api/v1/payments${path}`,
    body,
    headers: { 'Idempotency-Key': key },
  })
const countOf = async (user: string): Promise<number> => {
  const { json } = await stage.api.call({ path: `/api/v1/payments?user_reference=${user}` })
  return json.data.length
}

test('creates one payment for requests that are sent at the same time and again', async () => {
  const key = randomUUID()
  const body = { user_reference: 'retry', network: 'ethereum', coin: 'eth', amount: '1' }
  const answers = await Promise.all(Array.from({ length: 6 }, () => post('', key, body)))
  const made = answers.filter(({ status }) => status === 201)
  expect(made.length).toBeGreaterThan(0)
  for (const { status, json } of answers) {
    if (status !== 201) expect([status, json.error.code]).toEqual([409, 'REQUEST_IN_PROGRESS'])
  }
  const again = await post('', key, body)
  expect(again.status).toBe(201)
  expect(again.json.data).toEqual(made[0]?.json.data)
  expect(await countOf('retry')).toBe(1)
  const other = await post('', key, { ...body, amount: '2' })
  expect([other.status, other.json.error.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT'])
})

test('lets one of two open payments win, and one of two new attempts', async () => {
  const body = { user_reference: 'two', network: 'ethereum', coin: 'eth' }
  const open = await Promise.all(Array.from({ length: 4 }, () => post('', randomUUID(), body)))
  expect(open.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409])
  const first = await stage.open({ user_reference: 'attempts' })
  await stage.expire(first.payment_id)
  const attempts = await Promise.all(
    Array.from({ length: 4 }, () => post(`/${first.payment_id}/reissue`, randomUUID(), {})),
  )
  expect(attempts.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409])
  expect(await countOf('attempts')).toBe(2)
})

test('answers a cancellation that is sent again as the first time', async () => {
  const { payment_id: id } = await stage.open({ user_reference: 'cancel' })
  const key = randomUUID()
  const first = await post(`/${id}/cancel`, key, undefined)
  const again = await post(`/${id}/cancel`, key, undefined)
  expect([first.status, again.status]).toEqual([200, 200])
  expect(again.json.data).toEqual(first.json.data)
  expect(await stage.reported(id)).toEqual(['pending', 'cancelled'])
})
