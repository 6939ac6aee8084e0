/** Payments through the API, as payers really pay them, on a chain of each family. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { json } from '../../db/connect.js'
import { DEFAULT_POLICY } from '../../domain/controls/policy.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

describe.each(['bitcoin', 'ethereum'] as const)('on %s', (name) => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage(name)
  })
  afterAll(() => stage?.close())

  /** Blocks until a deposit is credited. */
  const DEEP = 4
  const available = async (user: string, coin = stage.coin) => {
    const { json } = await stage.api.call({
      path: `/api/v1/balances?user_reference=${user}&network=${name}&coin=${coin}`,
    })
    return json.data[0]?.available
  }

  test('goes from pending over paid to confirmed, and reports each step once', async () => {
    const made = await stage.open({
      order_id: 'order 7',
      success_url: 'https://shop.example/thanks?x=1',
      quote: {
        currency: 'EUR',
        amount: '49.90',
        rate: '61250.10',
        source: 'kraken',
        at: '2026-11-28T10:00:00Z',
      },
      metadata: { cart: [1, 2] },
      user_reference: 'happy',
    })
    expect(made).toMatchObject({
      status: 'pending',
      amount: '1',
      amount_detected: '0',
      amount_due: '1',
      flags: [],
      order_id: 'order 7',
      success_url: 'https://shop.example/thanks?x=1',
      quote: {
        currency: 'EUR',
        amount: '49.90',
        rate: '61250.10',
        source: 'kraken',
        at: '2026-11-28T10:00:00Z',
      },
      tolerance: null,
      metadata: { cart: [1, 2] },
      deposits: [],
      history: [{ status: 'pending', flags: [], cause: { kind: 'api' } }],
    })
    expect(made.checkout_url).toMatch(/^https:\/\/pay\.example\.com\/checkout\/[\w-]{32}$/)
    expect(made.payment_uri).toBe(
      name === 'bitcoin'
        ? `bitcoin:${made.address}?amount=1`
        : `ethereum:${made.address}@${stage.network.family === 'evm' ? stage.network.chainId : 0}?value=1000000000000000000`,
    )
    stage.send(made.address, '1')
    await stage.look()
    await stage.mine(1)
    expect(await stage.read(made.payment_id)).toMatchObject({
      status: 'paid',
      amount_detected: '1',
      amount_due: '0',
    })
    await stage.mine(DEEP)
    const done = await stage.read(made.payment_id)
    expect(done).toMatchObject({ status: 'confirmed', amount_confirmed: '1', amount_due: '0', flags: [] })
    expect(done.deposits).toMatchObject([{ amount: '1', coin: stage.coin, status: 'success' }])
    const [deposit] = done.deposits
    expect(done.history.map(({ status, cause }) => [status, cause.kind, cause.id])).toEqual([
      ['pending', 'api', stage.api.key.id],
      ['paid', 'deposit', deposit?.id],
      ['confirmed', 'deposit', deposit?.id],
    ])
    expect(await stage.reported(made.payment_id)).toEqual(['pending', 'paid', 'confirmed'])
    expect(await available('happy')).toBe('1')
    const listed = await stage.api.call({ path: `/api/v1/deposits?payment_id=${made.payment_id}` })
    expect(listed.json.data).toMatchObject([{ id: deposit?.id, payment_id: made.payment_id }])
  })

  test('flags a part payment as underpaid until the rest comes', async () => {
    const { address, payment_id } = await stage.open()
    stage.send(address, '0.4')
    await stage.mine(1)
    expect(await stage.read(payment_id)).toMatchObject({
      status: 'pending',
      flags: ['underpaid'],
      amount_detected: '0.4',
      amount_due: '0.6',
    })
    stage.send(address, '0.6')
    await stage.mine(DEEP)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'confirmed', flags: ['multiple_deposits'] })
    expect(await stage.reported(payment_id)).toEqual([
      'pending',
      'pending underpaid',
      'paid multiple_deposits',
      'confirmed multiple_deposits',
    ])
  })

  test('flags an overpayment from one base unit on, and credits all of it', async () => {
    const { address, payment_id } = await stage.open({ user_reference: 'generous' })
    const amount = name === 'bitcoin' ? '1.00000001' : '1.000000000000000001'
    stage.send(address, amount)
    await stage.mine(DEEP + 1)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'confirmed', flags: ['overpaid'] })
    expect(await available('generous')).toBe(amount)
  })

  test.each([
    ['percent', { percent: '0.5' }, '0.995', '0.99499999'],
    ['absolute', { absolute: '0.01' }, '0.99', '0.98999999'],
    ['the greater of both', { percent: '2', absolute: '0.01' }, '0.98', '0.97999999'],
  ])(
    'accepts what an exchange deducted, within a tolerance of %s',
    async (_what, tolerance, enough, short) => {
      const kept = await stage.open({ tolerance })
      expect(kept.tolerance).toEqual(tolerance)
      stage.send(kept.address, enough)
      const missed = await stage.open({ tolerance })
      stage.send(missed.address, short)
      await stage.mine(DEEP + 1)
      expect(await stage.read(kept.payment_id)).toMatchObject({
        status: 'confirmed',
        flags: [],
        amount_due: '0',
      })
      expect(await stage.read(missed.payment_id)).toMatchObject({ status: 'pending', flags: ['underpaid'] })
    },
  )

  test('credits a late deposit, flags it, and leaves the expired payment as it is', async () => {
    const { address, payment_id } = await stage.open({ user_reference: 'slow' })
    await stage.expire(payment_id)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'expired', flags: [] })
    stage.send(address, '1.5')
    await stage.mine(DEEP + 1)
    expect(await stage.read(payment_id)).toMatchObject({
      status: 'expired',
      flags: ['overpaid', 'late'],
      amount_detected: '1.5',
      amount_confirmed: '1.5',
    })
    expect(await available('slow')).toBe('1.5')
    expect(await stage.exceptions(payment_id)).toEqual(['late'])
    stage.send(address, '1')
    await stage.mine(DEEP + 1)
    expect(await stage.exceptions(payment_id)).toEqual(['late', 'late'])
  })

  test('keeps a part payment that expired expired, also when the rest comes', async () => {
    const { address, payment_id } = await stage.open()
    stage.send(address, '0.5')
    await stage.mine(1)
    await stage.expire(payment_id)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'expired', flags: ['underpaid'] })
    stage.send(address, '0.5')
    await stage.mine(DEEP + 1)
    expect(await stage.read(payment_id)).toMatchObject({
      status: 'expired',
      flags: ['late', 'multiple_deposits'],
      amount_due: '0',
    })
  })

  test('does not expire what is paid, and confirms it later', async () => {
    const { address, payment_id } = await stage.open()
    stage.send(address, '1')
    await stage.mine(1)
    await stage.expire(payment_id)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'paid' })
    await stage.mine(DEEP)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'confirmed', flags: [] })
  })

  test('flags a second full payment', async () => {
    const { address, payment_id } = await stage.open({ user_reference: 'twice' })
    for (let time = 0; time < 2; time++) {
      stage.send(address, '1')
      await stage.mine(DEEP + 1)
    }
    const done = await stage.read(payment_id)
    expect(done).toMatchObject({
      status: 'confirmed',
      flags: ['overpaid', 'multiple_deposits'],
      amount_confirmed: '2',
    })
    expect(await available('twice')).toBe('2')
  })

  test('goes back when a reorg takes an unconfirmed deposit, and forward when it is mined again', async () => {
    const { address, payment_id } = await stage.open()
    const transaction = stage.send(address, '1')
    await stage.mine(2)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'paid' })
    await stage.reorganise(2)
    expect(await stage.read(payment_id)).toMatchObject({
      status: 'pending',
      flags: [],
      amount_detected: '0',
      paid_at: null,
    })
    await stage.expire(payment_id)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'pending' })
    stage.model.send(transaction)
    await stage.mine(DEEP + 1)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'confirmed', flags: [] })
    // Its end was over when the deposit came back, but for less time than confirmations usually take.
    expect(await stage.exceptions(payment_id)).toEqual([])
  })

  test('keeps the flag of a reorg that took a confirmed payment back, and raises it', async () => {
    const { address, payment_id } = await stage.open({ user_reference: 'deep' })
    const transaction = stage.send(address, '1')
    await stage.mine(DEEP)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'confirmed' })
    await stage.reorganise(DEEP)
    expect(await stage.read(payment_id)).toMatchObject({
      status: 'pending',
      flags: ['reorged'],
      confirmed_at: null,
    })
    expect(await stage.exceptions(payment_id)).toEqual(['reorged'])
    expect(await available('deep')).toBe('0')
    stage.model.send(transaction)
    await stage.mine(DEEP + 1)
    const done = await stage.read(payment_id)
    expect(done).toMatchObject({ status: 'confirmed', flags: ['reorged'], amount_confirmed: '1' })
    expect(done.history.map((each) => each.cause.kind)).toContain('reorg')
  })

  test('raises each reorg that takes a confirmed payment back, also the second one', async () => {
    const { address, payment_id } = await stage.open({ user_reference: 'deep twice' })
    const transaction = stage.send(address, '1')
    await stage.mine(DEEP)
    for (const raised of [1, 2]) {
      await stage.reorganise(DEEP + raised)
      expect(await stage.read(payment_id)).toMatchObject({ status: 'pending', flags: ['reorged'] })
      expect(await stage.exceptions(payment_id)).toEqual(Array(raised).fill('reorged'))
      stage.model.send(transaction)
      await stage.mine(DEEP + 1)
      expect(await stage.read(payment_id)).toMatchObject({ status: 'confirmed', flags: ['reorged'] })
    }
  })

  test('cancels only what no payer paid, and treats what comes later as late', async () => {
    const { address, payment_id } = await stage.open()
    const path = `/api/v1/payments/${payment_id}/cancel`
    const strange = await stage.api.call({ method: 'POST', path, body: { reason: 'none' } })
    expect([strange.status, strange.json.error.details.fields]).toEqual([
      400,
      [{ path: 'reason', reason: 'unknown field' }],
    ])
    const cancelled = await stage.api.call({ method: 'POST', path })
    expect(cancelled.json.data).toMatchObject({ status: 'cancelled' })
    expect((await stage.api.call({ method: 'POST', path })).json.error.code).toBe('INVALID_STATE')
    stage.send(address, '1')
    await stage.mine(DEEP + 1)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'cancelled', flags: ['late'] })
    expect(await stage.exceptions(payment_id)).toEqual(['late'])

    const paid = await stage.open()
    stage.send(paid.address, '0.1')
    await stage.mine(1)
    const refused = await stage.api.call({
      method: 'POST',
      path: `/api/v1/payments/${paid.payment_id}/cancel`,
    })
    expect([refused.status, refused.json.error.code]).toEqual([409, 'INVALID_STATE'])
  })

  test('issues an expired payment again with a new address, once', async () => {
    const first = await stage.open({ order_id: 'again', expires_in_seconds: 600 })
    const reissue = (body: unknown = {}) =>
      stage.api.call({ method: 'POST', path: `/api/v1/payments/${first.payment_id}/reissue`, body })
    expect((await reissue()).json.error.code).toBe('INVALID_STATE')
    await stage.expire(first.payment_id)
    const { status, json } = await reissue({ expires_in_seconds: 60 })
    expect(status).toBe(201)
    expect(json.data).toMatchObject({
      status: 'pending',
      amount: '1',
      order_id: 'again',
      attempt_of: first.payment_id,
    })
    expect(json.data.address).not.toBe(first.address)
    expect(await stage.read(first.payment_id)).toMatchObject({
      status: 'expired',
      flags: ['reissued'],
      reissued_as: json.data.payment_id,
    })
    expect((await reissue()).json.error.code).toBe('INVALID_STATE')
    stage.send(first.address, '1')
    await stage.mine(DEEP + 1)
    expect(await stage.read(first.payment_id)).toMatchObject({
      status: 'expired',
      flags: ['late', 'reissued'],
    })
    expect(await stage.read(json.data.payment_id)).toMatchObject({ status: 'pending', deposits: [] })
  })

  test('counts every amount for an open payment, and nothing that is older', async () => {
    const user = 'open'
    const own = await stage.api.call({
      method: 'POST',
      path: '/api/v1/addresses',
      body: { user_reference: user, network: name },
    })
    stage.send(own.json.data.address, '9')
    stage.model.mine()
    const made = await stage.open({ user_reference: user, amount: undefined })
    expect(made).toMatchObject({ amount: null, amount_due: null, address: own.json.data.address })
    const second = await stage.request({ user_reference: user, amount: undefined })
    expect([second.status, second.json.error.code]).toEqual([409, 'INVALID_STATE'])
    stage.send(made.address, '0.2')
    await stage.mine(DEEP + 1)
    stage.send(made.address, '0.3')
    await stage.mine(DEEP + 1)
    const done = await stage.read(made.payment_id)
    expect(done).toMatchObject({ status: 'confirmed', flags: ['multiple_deposits'] })
    await stage.expire(made.payment_id)
    stage.send(made.address, '5')
    await stage.mine(1)
    expect(await stage.read(made.payment_id)).toMatchObject({ amount_detected: done.amount_detected })
  })

  test('gives a fixed payment an address that nothing else uses', async () => {
    const user = 'many'
    const payments = await Promise.all(Array.from({ length: 10 }, () => stage.open({ user_reference: user })))
    const own = await stage.api.call({
      method: 'POST',
      path: '/api/v1/addresses',
      body: { user_reference: user, network: name },
    })
    const open = await stage.open({ user_reference: user, amount: undefined })
    expect(open.address).toBe(own.json.data.address)
    expect(new Set([...payments.map((each) => each.address), open.address]).size).toBe(11)
  })

  test('lists by each filter, and shows nothing to another merchant', async () => {
    const made = await stage.open({ order_id: 'find me', user_reference: 'finder' })
    // The prefix of Ethereum's addresses stays small. Those of Bitcoin may have these characters anywhere.
    const inCapitals = (address: string) =>
      address.startsWith('0x') ? `0x${address.slice(2).toUpperCase()}` : address.toUpperCase()
    for (const query of [
      'order_id=find%20me',
      'user_reference=finder',
      `address=${inCapitals(made.address)}&order_id=find%20me`,
      `status=pending&network=${name}&coin=${stage.coin}&user_reference=finder`,
    ]) {
      const { json } = await stage.api.call({ path: `/api/v1/payments?${query}` })
      expect(json.data.map((each: { payment_id: string }) => each.payment_id)).toEqual([made.payment_id])
    }
    const at = encodeURIComponent(made.created_at)
    const after = encodeURIComponent(new Date(Date.parse(made.created_at) + 1).toISOString())
    const day = made.created_at.slice(0, 10)
    const dated = async (window: string) =>
      (await stage.api.call({ path: `/api/v1/payments?user_reference=finder&${window}` })).json.data.length
    expect(await dated(`from_date=${at}&to_date=${after}`)).toBe(1)
    expect(await dated(`to_date=${at}`)).toBe(0)
    expect(await dated(`from_date=${after}`)).toBe(0)
    expect(await dated(`from_date=${day}`)).toBe(1)
    expect(await dated(`to_date=${day}`)).toBe(0)
    const none = await stage.api.call({ path: '/api/v1/payments?flag=late&user_reference=finder' })
    expect(none.json.data).toEqual([])
    const stranger = await stage.api.newKey({ merchantId: await stage.api.newMerchant() })
    const path = `/api/v1/payments/${made.payment_id}`
    expect((await stage.api.call({ path, key: stranger })).status).toBe(404)
    expect((await stage.api.call({ method: 'POST', path: `${path}/cancel`, key: stranger })).status).toBe(404)
  })
})

describe('another coin on the address', () => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage('ethereum')
  })
  afterAll(() => stage?.close())

  test('is credited and flagged, and does not count', async () => {
    const { address, payment_id } = await stage.open({ coin: 'usdt', amount: '10' })
    stage.send(address, '10', 'eth')
    await stage.mine(5)
    const wrong = await stage.read(payment_id)
    expect(wrong).toMatchObject({ status: 'pending', flags: ['wrong_coin'], amount_detected: '0' })
    expect(wrong.deposits).toMatchObject([{ coin: 'eth', amount: '10', status: 'success' }])
    expect(await stage.exceptions(payment_id)).toEqual(['wrong_coin'])
    stage.send(address, '10', 'usdt')
    await stage.mine(5)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'confirmed', flags: ['wrong_coin'] })
  })

  test('does not concern an open payment, whose address is the user’s own', async () => {
    const open = await stage.open({ coin: 'usdt', amount: undefined, user_reference: 'both' })
    stage.send(open.address, '1', 'eth')
    await stage.mine(5)
    expect(await stage.read(open.payment_id)).toMatchObject({ status: 'pending', flags: [], deposits: [] })
  })
})

describe('a deposit replaced in the mempool', () => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage('bitcoin')
  })
  afterAll(() => stage?.close())

  test('takes a paid payment back, which expires when its time is over', async () => {
    const { address, payment_id } = await stage.open()
    const first = stage.send(address, '1')
    await stage.look()
    expect(await stage.read(payment_id)).toMatchObject({ status: 'paid' })
    await stage.expire(payment_id)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'paid' })
    const other = await stage.open()
    stage.send(other.address, '0.9', 'btc', first.inputs)
    await stage.look()
    expect(await stage.read(payment_id)).toMatchObject({ status: 'expired', amount_detected: '0' })
    expect(await stage.reported(payment_id)).toEqual(['pending', 'paid', 'expired'])
  })

  test('makes the payment late if it is mined all the same after the end, and notifies a person once', async () => {
    const { address, payment_id } = await stage.open({ user_reference: 'patient' })
    const first = stage.send(address, '1')
    await stage.look()
    await stage.expire(payment_id)
    const other = await stage.open()
    stage.send(other.address, '0.9', 'btc', first.inputs)
    await stage.look()
    expect(await stage.read(payment_id)).toMatchObject({ status: 'expired', flags: [], amount_detected: '0' })
    expect(await stage.exceptions(payment_id)).toEqual([])
    stage.model.mine([first])
    await stage.look()
    expect(await stage.read(payment_id)).toMatchObject({
      status: 'expired',
      flags: ['late'],
      amount_detected: '1',
    })
    expect(await stage.exceptions(payment_id)).toEqual(['late'])
    await stage.mine(3)
    const [balance] = (
      await stage.api.call({ path: '/api/v1/balances?user_reference=patient&network=bitcoin' })
    ).json.data
    expect(balance).toMatchObject({ available: '1' })
    expect(await stage.exceptions(payment_id)).toEqual(['late'])
  })

  test('leaves a part in time alone that is confirmed after the end', async () => {
    const { address, payment_id } = await stage.open()
    stage.send(address, '0.4')
    await stage.look()
    await stage.expire(payment_id)
    await stage.mine(4)
    expect(await stage.read(payment_id)).toMatchObject({ status: 'expired', flags: ['underpaid'] })
    expect(await stage.exceptions(payment_id)).toEqual(['wrong_amount'])
  })

  test('counts the transaction that took its place', async () => {
    const { address, payment_id } = await stage.open()
    const first = stage.send(address, '1')
    await stage.look()
    stage.send(address, '0.99', 'btc', first.inputs)
    await stage.look()
    expect(await stage.read(payment_id)).toMatchObject({
      status: 'pending',
      flags: ['underpaid'],
      amount_detected: '0.99',
    })
  })
})

describe('a request that cannot be accepted', () => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage('bitcoin')
  })
  afterAll(() => stage?.close())

  test.each([
    [{ amount: '0' }, 422, 'INVALID_AMOUNT'],
    [{ amount: '0.000000001' }, 422, 'INVALID_AMOUNT'],
    [{ coin: 'doge' }, 422, 'UNSUPPORTED_COIN'],
    [{ network: 'doge' }, 422, 'UNSUPPORTED_NETWORK'],
    [{ expires_in_seconds: 4 }, 400, 'VALIDATION_FAILED'],
    [{ expires_in_seconds: 604_801 }, 400, 'VALIDATION_FAILED'],
    [{ order_id: '' }, 400, 'VALIDATION_FAILED'],
    [{ order_id: 'a\nb' }, 400, 'VALIDATION_FAILED'],
    [{ order_id: 'x'.repeat(256) }, 400, 'VALIDATION_FAILED'],
    [{ tolerance: { percent: '100' } }, 400, 'VALIDATION_FAILED'],
    [{ tolerance: { percent: '-1' } }, 400, 'VALIDATION_FAILED'],
    [{ tolerance: { percent: `0.${'0'.repeat(36)}1` } }, 400, 'VALIDATION_FAILED'],
    [{ tolerance: { absolute: '0.000000001' } }, 422, 'INVALID_AMOUNT'],
    [{ success_url: 'http://shop.example/' }, 400, 'VALIDATION_FAILED'],
    [{ success_url: 'javascript:alert(1)' }, 400, 'VALIDATION_FAILED'],
    [{ failure_url: 'http://shop.example/' }, 400, 'VALIDATION_FAILED'],
    [{ success_url: '/thanks' }, 400, 'VALIDATION_FAILED'],
    [{ success_url: 'https:shop.example' }, 400, 'VALIDATION_FAILED'],
    [{ success_url: 'https://user:secret@shop.example/' }, 400, 'VALIDATION_FAILED'],
    [{ quote: { currency: 'EUR' } }, 400, 'VALIDATION_FAILED'],
    [{ unknown: 1 }, 400, 'VALIDATION_FAILED'],
  ])('says why: %o', async (fields, status, code) => {
    const { json, ...answer } = await stage.request(fields)
    expect([answer.status, json.error.code]).toEqual([status, code])
  })

  test.each([`99.${'9'.repeat(36)}`, `0.${'0'.repeat(35)}1`, '0', '99', '12.5'])(
    'accepts a tolerance of %s percent, as sent',
    async (percent) => {
      expect(await stage.open({ tolerance: { percent } })).toMatchObject({ tolerance: { percent } })
    },
  )

  test('needs the scope of payments', async () => {
    const key = await stage.api.newKey({ scopes: ['read'] })
    const refused = await stage.api.call({
      method: 'POST',
      path: '/api/v1/payments',
      key,
      body: { user_reference: 'u', network: 'bitcoin', coin: 'btc' },
    })
    expect([refused.status, refused.json.error.code]).toEqual([403, 'INSUFFICIENT_SCOPE'])
  })
})

describe('the tolerance of the policy', () => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage('bitcoin')
    const policy = {
      ...DEFAULT_POLICY,
      payments: {
        tolerance_percent: '1',
        tolerance_absolute: [{ network: 'bitcoin', coin: 'btc', amount: '0.0200000009' }],
      },
    }
    const { sql } = stage.api.database
    await sql`
      INSERT INTO policies (merchant_id, version, policy, effective_at)
      VALUES (${stage.api.merchantId}, 1, ${json(sql, policy)}, now())`
  })
  afterAll(() => stage?.close())

  test('holds for a payment that has none of its own', async () => {
    const own = await stage.open({ tolerance: { percent: '0', absolute: '0' } })
    const other = await stage.open()
    for (const { address } of [own, other]) stage.send(address, '0.98')
    await stage.mine(1)
    expect(await stage.read(own.payment_id)).toMatchObject({ status: 'pending', flags: ['underpaid'] })
    expect(await stage.read(other.payment_id)).toMatchObject({ status: 'paid', flags: [], tolerance: null })
  })

  test('holds for each field that the payment leaves out', async () => {
    const allowed = [
      [{}, '0.98', '0.97999999'],
      [{ percent: '0' }, '0.98', '0.97999999'],
      [{ percent: '3' }, '0.97', '0.96999999'],
      [{ absolute: '0' }, '0.99', '0.98999999'],
    ] as const
    for (const [tolerance, enough, short] of allowed) {
      const kept = await stage.open({ tolerance })
      const missed = await stage.open({ tolerance })
      expect(kept.tolerance).toEqual(tolerance)
      stage.send(kept.address, enough)
      stage.send(missed.address, short)
      await stage.mine(1)
      expect(await stage.read(kept.payment_id)).toMatchObject({ status: 'paid', flags: [] })
      expect(await stage.read(missed.payment_id)).toMatchObject({ status: 'pending', flags: ['underpaid'] })
    }
  })
})
