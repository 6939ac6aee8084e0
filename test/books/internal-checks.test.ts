/** The ledger against itself: a busy history has no difference, and each corruption shows in its check alone. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { INTERNAL_CHECKS } from '../../domain/books/difference.js'
import { findNetwork } from '../../domain/chain/network.js'
import { settle } from '../stage/deposit-steps.js'
import { type MemoryRail, openMemoryRail, PAID } from '../stage/memory-rail.js'
import { expirePayment } from '../stage/payments.js'
import { differencesOf, reconcile } from '../stage/reconcile.js'

let rail: MemoryRail
const check = () => reconcile(rail.sql, rail.stage.networks, rail.stage.api.merchantId)

beforeAll(async () => {
  rail = await openMemoryRail()
  await rememberCoins(rail.sql, rail.stage.networks)
  await live(rail, 20261129)
}, 120_000)
afterAll(() => rail?.stage.close())

/** Returns numbers below a limit, the same ones for the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Lives through a history: payments, deposits, transfers, withdrawals and reorganisations, through the real functions. */
async function live({ stage, model, sql, ...rail }: MemoryRail, seed: number): Promise<void> {
  const roll = dice(seed)
  const { api, networks } = stage
  const network = findNetwork(networks, 'bitcoin')
  const call = async (method: string, path: string, body: unknown) => {
    const { status, json } = await api.call({ method, path: `/api/v1${path}`, body })
    if (status >= 300) throw new Error(`${path}: ${JSON.stringify(json)}`)
    return json.data
  }
  const payeeOf = (address: string) => parseAddress(network, address).payee ?? ''
  const look = async (blocks: number) => {
    for (let block = 0; block < blocks; block++) {
      model.mine()
      await rail.scan()
    }
    await settle(sql, networks)
  }
  await call('POST', '/webhook-endpoints', { url: 'https://shop.example.com/hooks' })
  const orders: { id: string; address: string; user: string }[] = []
  const users = ['ann', 'bob', 'cleo', 'dan']
  const userOf = () => users[roll(users.length)] ?? 'ann'
  for (let day = 0; day < 60; day++) {
    const user = userOf()
    const address = await call('POST', '/addresses', { user_reference: user, network: 'bitcoin' })
    const pay = (to: string, amount: bigint) =>
      model.send(model.transaction([{ payee: payeeOf(to), coin: 'btc', amount }]))
    switch (roll(8)) {
      case 0: {
        const order = {
          user_reference: user,
          network: 'bitcoin',
          coin: 'btc',
          amount: '0.25',
          order_id: `o-${day}`,
        }
        const payment = await call('POST', '/payments', order)
        orders.push({ id: payment.payment_id, address: payment.address, user })
        break
      }
      case 1: {
        const order = orders[roll(orders.length)]
        if (order) pay(order.address, BigInt(20_000_000 + roll(10_000_000)))
        break
      }
      case 2:
        pay(address.address, BigInt(1_000_000 + roll(90_000_000)))
        break
      case 3:
        await look(1 + roll(4))
        break
      case 4: {
        const depth = 1 + roll(3)
        if (model.height > depth + 4) {
          const lost = model.orphan(depth)
          for (const transaction of lost) if (roll(4) > 0) model.send(transaction)
          await look(depth + 1)
        }
        break
      }
      case 5: {
        const other = userOf()
        const transfer = {
          from_user_reference: user,
          to_user_reference: other,
          network: 'bitcoin',
          coin: 'btc',
        }
        if (other !== user)
          await api.call({
            method: 'POST',
            path: '/api/v1/transfers',
            body: { ...transfer, amount: '0.001', reason: 'gift' },
          })
        break
      }
      case 6: {
        const to_address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
        const { status, json } = await stage.create({
          network: 'bitcoin',
          coin: 'btc',
          amount: '0.002',
          to_address,
        })
        if (status === 201 && roll(2) === 0)
          await api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${json.data.id}` })
        break
      }
      default: {
        const order = orders[roll(orders.length)]
        if (order) await expirePayment(sql, order.id).catch(() => {})
      }
    }
  }
  await look(8)
  // A payment and a deposit that are not due yet.
  const { transaction, coins } = rail.fund([3n * PAID])
  model.send(transaction)
  await look(8)
  const paid = await rail.withdrawal()
  const attempt = await rail.attempt(paid, coins, 0n)
  model.mine([attempt.transaction])
  await look(8)
  expect(await rail.step(paid)).toBe('confirmed')
  await look(1)
}

test('finds nothing in a busy history', async () => {
  const run = await check()
  expect(differencesOf(run)).toEqual([])
  expect(run.status).toBe('clean')
  expect(run.checks.map(({ name }) => name)).toEqual(INTERNAL_CHECKS)
  for (const { name, examined } of run.checks) {
    if (!['reservations', 'nonces'].includes(name))
      expect({ name, examined }).not.toEqual({ name, examined: 0 })
  }
})
