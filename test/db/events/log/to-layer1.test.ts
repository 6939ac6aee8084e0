/** Deposit events in the `layer1` format. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { toLayer1 } from '../../../../db/events/log/to-layer1.js'
import type { Deposit } from '../../../../wire/deposit.js'
import type { BalanceUpdated } from '../../../../wire/event.js'

const deposit: Deposit = {
  id: '018fea20a69e7cc58066f8d03362e797d18a869f191944a09e5e784d7ca8f45a6f',
  status: 'unconfirmed',
  previous_status: 'detected',
  network: 'ethereum',
  coin: 'eth',
  amount: '0.2',
  user_reference: 'customerOne',
  address: {
    id: 'd18a869f-1919-44a0-9e5e-784d7ca8f45a',
    address: '0xc4b21fb39aaf5fc07d3cd4420bf3ee74a61642e9',
    network: 'ethereum',
    label: 'First Eth Address',
    key_pair_id: '44cf54df-93e9-4dd9-84c9-e96f0cf90f3e',
    asset_pool_id: '2be1cc9c-a5af-47e2-9dba-b7b82317e600',
  },
  transaction_hash: '0x8d49dad00612517e5fdf9ca896c4aded5a46c30226cd44f4f0c26b4c65ae63fe',
  output_index: 0,
  confirmations: 1,
  required_confirmations: 12,
  block_number: 6046664,
  block_hash: '0x01',
  block_time: '2024-06-05T20:39:24Z',
  fee: { coin: 'eth', amount: '0.000234653675781' },
  sources: [{ address: '0x84a4a239805d06c685219801b82bea7c76702214', amount: '0.200234653675781' }],
  destinations: [{ address: '0xc4b21fb39aaf5fc07d3cd4420bf3ee74a61642e9', amount: '0.2' }],
  payment_id: null,
  decision: null,
  detected_at: '2024-06-05T20:39:19.454Z',
  updated_at: '2024-06-05T20:39:26.683343Z',
  confirmed_at: null,
  credited_at: null,
}
const event = (
  data: object,
  type: 'deposit.status_changed' | 'balance.updated' = 'deposit.status_changed',
) => ({
  event: type,
  timestamp: '2024-06-05T20:39:26.724877059Z',
  data: data as Record<string, unknown>,
})

/** The examples of the format's description, in its order: two balances, and the five steps of a deposit. */
const EXAMPLES = JSON.parse(
  readFileSync(new URL('./layer1-examples.json', import.meta.url), 'utf8'),
) as Layer1Example[]

interface Layer1Example {
  readonly event: string
  readonly timestamp: string
  readonly data: {
    readonly status?: string
    readonly updatedAt?: string
    readonly funds?: readonly { readonly type: string; readonly balance: string; readonly delta: string }[]
  }
}

const deposits = EXAMPLES.filter((each) => each.data.status !== undefined)
const UNCONFIRMED = JSON.stringify(deposits[1])

test('has the examples of five steps and two balances', () => {
  expect(deposits.map(({ data }) => data.status)).toEqual([
    'DETECTED',
    'UNCONFIRMED',
    'CONFIRMED',
    'SCREENING_REQUESTED',
    'SUCCESS',
  ])
  expect(EXAMPLES).toHaveLength(7)
})

test.each(deposits)(
  'writes a deposit as the example $data.status, field by field and in its order',
  (example) => {
    const { status = '', updatedAt = '' } = example.data
    const mempool = {
      block_number: null,
      block_time: null,
      sources: [{ address: deposit.sources[0]?.address ?? '', amount: '0.2' }],
    }
    const data = {
      ...deposit,
      ...(status === 'DETECTED' ? mempool : {}),
      status: status.toLowerCase(),
      updated_at: updatedAt,
    }
    const body = toLayer1({ ...event(data), timestamp: example.timestamp })
    expect(JSON.stringify(body, null, 2)).toBe(JSON.stringify(example, null, 2))
  },
)

test.each([
  [0, { available: ['0', '0'], blockchain: ['0.2', '0.2'], reserved: ['0.2', '0.2'] }],
  [1, { available: ['0.2', '0.2'], blockchain: ['0.2', '0'], reserved: ['0', '-0.2'] }],
] as const)('writes a balance as example %i, field by field and in its order', (index, funds) => {
  const example = EXAMPLES[index]
  const fund = (
    type: 'AVAILABLE' | 'BLOCKCHAIN' | 'RESERVED',
    [balance, delta]: readonly [string, string],
  ) => ({
    type,
    balance,
    delta,
  })
  const balance: BalanceUpdated = {
    address_id: deposit.address.id,
    address: deposit.address.address,
    label: deposit.address.label,
    user_reference: deposit.user_reference,
    network: 'ethereum',
    coin: 'eth',
    funds: [
      fund('AVAILABLE', funds.available),
      fund('BLOCKCHAIN', funds.blockchain),
      fund('RESERVED', funds.reserved),
    ],
    deposit_id: deposit.id,
  }
  const body = toLayer1({ ...event(balance, 'balance.updated'), timestamp: example?.timestamp ?? '' })
  expect(JSON.stringify(body, null, 2)).toBe(JSON.stringify(example, null, 2))
})

test('writes no network detail for a deposit in the mempool', () => {
  const body = toLayer1(event({ ...deposit, status: 'detected', block_number: null, block_time: null }))
  const { networkDetail: _, ...expected } = JSON.parse(UNCONFIRMED).data
  expect(body?.data).toEqual({ ...expected, status: 'DETECTED' })
})

test('leaves out an unknown fee and keeps the block', () => {
  const body = toLayer1(event({ ...deposit, fee: null })) as { data: { networkDetail: object } }
  expect(body.data.networkDetail).toEqual({ block: { number: 6046664, timestamp: '2024-06-05T20:39:24Z' } })
})

test.each([
  ['detected', 'DETECTED'],
  ['confirmed', 'CONFIRMED'],
  ['screening_requested', 'SCREENING_REQUESTED'],
  ['success', 'SUCCESS'],
])('status %s is %s', (status, expected) => {
  expect(toLayer1(event({ ...deposit, status }))).toMatchObject({ data: { status: expected } })
})

test('keeps every digit of amounts', () => {
  const body = toLayer1(event({ ...deposit, amount: '123456789012345678901234567890.000000000000000001' }))
  expect(body).toMatchObject({ data: { amount: '123456789012345678901234567890.000000000000000001' } })
})

test('returns null for other events', () => {
  expect(toLayer1({ ...event(deposit), event: 'withdrawal.status_changed' })).toBeNull()
  expect(toLayer1({ ...event(deposit), event: 'webhook.test' })).toBeNull()
})

test('returns null for data of another shape', () => {
  expect(toLayer1(event({ id: 'dep_1' }))).toBeNull()
  expect(toLayer1(event({}, 'balance.updated'))).toBeNull()
})
