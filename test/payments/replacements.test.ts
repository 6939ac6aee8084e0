/** Payers who replace their transactions, once or again and again. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findOvertaken } from '../../activities/chain/find-overtaken.js'
import type { EvmAdapter } from '../../chains/adapter.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { parseAmount } from '../../domain/money.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

/** Lines that the history of a payment keeps. */
const KEPT = 100
const TIMES = 104

/** Blocks until a deposit is credited. */
const DEEP = 4

let stage: PaymentStage

describe('on bitcoin, again and again', () => {
  beforeAll(async () => {
    stage = await startPaymentStage('bitcoin')
  })
  afterAll(() => stage?.close())

  test('keeps the first line and the newest ones of a history that a payer makes long', async () => {
    const { sql } = stage.api.database
    const { address, payment_id: id, history } = await stage.open()
    let inputs: readonly string[] | undefined
    for (let time = 0; time < TIMES; time++) {
      inputs = stage.send(address, time % 2 === 0 ? '1' : '0.9', 'btc', inputs).inputs
      await stage.look()
    }
    const shown = await stage.read(id)
    expect(shown).toMatchObject({ status: 'pending', flags: ['underpaid'], amount_detected: '0.9' })
    expect(shown.history).toHaveLength(KEPT)
    expect(shown.history[0]).toEqual(history[0])
    const reported = await stage.reported(id)
    expect(reported).toHaveLength(1 + TIMES)
    expect(shown.history.slice(1).map(({ status, flags }) => [status, ...flags].join(' '))).toEqual(
      reported.slice(1 - KEPT),
    )
    const [longest] = await sql<{ lines: number }[]>`
    SELECT max(jsonb_array_length(data -> 'history')) AS lines FROM events WHERE subject = ${id}`
    expect(longest?.lines).toBe(KEPT)
  })

  test('says nothing when a transaction is replaced by one that pays the same', async () => {
    const { address, payment_id: id } = await stage.open()
    let inputs: readonly string[] | undefined
    for (let time = 0; time < 10; time++) {
      inputs = stage.send(address, '1', 'btc', inputs).inputs
      await stage.look()
    }
    expect(await stage.reported(id)).toEqual(['pending', 'paid'])
    expect((await stage.read(id)).deposits).toHaveLength(10)
  })
})

describe.each(['bitcoin', 'ethereum'] as const)(
  'on %s, with a higher fee after the end of an open payment',
  (name) => {
    beforeAll(async () => {
      stage = await startPaymentStage(name)
    })
    afterAll(() => stage?.close())

    /** Opens a payment, pays it, and lets its time pass. */
    const paidUntilTheEnd = async (user: string) => {
      const { address, payment_id: id } = await stage.open({ user_reference: user, amount: undefined })
      const { inputs } = stage.send(address, '1')
      await stage.look()
      await stage.expire(id)
      expect(await stage.read(id)).toMatchObject({ status: 'paid', flags: [] })
      return { address, id, inputs }
    }
    /** Ends what the chain can no longer make; blocks of Ethereum show no conflicts. */
    const overtake = async () => {
      if (stage.network.family === 'evm') {
        await findOvertaken(stage.api.database.sql, stage.model.adapter() as EvmAdapter)
      }
    }

    test('keeps the payment of the deposit that is replaced in the mempool, as late', async () => {
      const { address, id, inputs } = await paidUntilTheEnd('mempool')
      const higher = stage.send(address, '0.9', undefined, inputs)
      await stage.look()
      const replaced = await stage.read(id)
      expect(replaced).toMatchObject({ status: 'expired', flags: ['late'], amount_detected: '0.9' })
      expect(replaced.deposits.map(({ transaction_hash, status }) => [transaction_hash, status])).toEqual([
        [expect.any(String), 'replaced'],
        [higher.txid, 'detected'],
      ])
      expect(await stage.exceptions(id)).toEqual(['late'])
      // Every event of the deposit names the payment.
      const events = await stage.api.database.sql<{ payment: string }[]>`
      SELECT data ->> 'payment_id' AS payment FROM events
      WHERE type = 'deposit.status_changed' AND data ->> 'transaction_hash' = ${higher.txid}`
      expect(events).toEqual([{ payment: id }])

      const highest = stage.send(address, '0.8', undefined, inputs)
      await stage.mine(DEEP)
      await overtake()
      const done = await stage.read(id)
      expect(done).toMatchObject({ status: 'expired', flags: ['late'], amount_confirmed: '0.8' })
      expect(done.deposits.at(-1)).toMatchObject({ transaction_hash: highest.txid, status: 'success' })
    })

    test('keeps it also when the replacement is first seen in a block', async () => {
      const { address, id, inputs } = await paidUntilTheEnd('block')
      const payee = parseAddress(stage.network, address).payee ?? ''
      const decimals = stage.network.coins[0]?.decimals ?? 0
      const output = { payee, coin: stage.coin, amount: parseAmount('0.9', decimals) }
      stage.model.mine([stage.model.transaction([output], inputs)])
      await stage.look()
      // The mempool no longer has the first one.
      await stage.look()
      await overtake()
      expect(await stage.read(id)).toMatchObject({
        status: 'expired',
        flags: ['late'],
        amount_detected: '0.9',
        deposits: [{ status: 'replaced' }, { status: 'unconfirmed' }],
      })
    })

    test('does not count it for a payment that the user opened since', async () => {
      const { address, id, inputs } = await paidUntilTheEnd('again')
      const next = await stage.open({ user_reference: 'again', amount: undefined })
      expect(next.address).toBe(address)
      stage.send(address, '0.9', undefined, inputs)
      stage.send(address, '0.3')
      await stage.look()
      expect(await stage.read(id)).toMatchObject({ status: 'expired', amount_detected: '0.9' })
      expect(await stage.read(next.payment_id)).toMatchObject({ status: 'paid', amount_detected: '0.3' })
    })

    test('gives what another user gets from the same payer no payment', async () => {
      const { id, inputs } = await paidUntilTheEnd('one user')
      const { json } = await stage.api.call({
        method: 'POST',
        path: '/api/v1/addresses',
        body: { user_reference: 'another user', network: name },
      })
      stage.send(json.data.address, '0.9', undefined, inputs)
      await stage.look()
      expect(await stage.read(id)).toMatchObject({ status: 'expired', flags: [], amount_detected: '0' })
      const listed = await stage.api.call({ path: '/api/v1/deposits?user_reference=another%20user' })
      expect(listed.json.data).toMatchObject([{ amount: '0.9', payment_id: null }])
    })
  },
)
