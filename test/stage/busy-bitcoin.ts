/** Fills the books with a busy history on a Bitcoin in memory. */

import { inTransaction } from '../../db/connect.js'
import { advanceWithdrawal } from '../../db/payouts/advance-withdrawal.js'
import { movePayout } from '../../db/payouts/move-payout.js'
import { lockWithdrawal } from '../../db/payouts/payout-row.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findNetwork } from '../../domain/chain/network.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import { settle } from './deposit-steps.js'
import { type MemoryRail, PAID } from './memory-rail.js'
import { expirePayment } from './payments.js'

/** Returns numbers below a limit, the same ones for the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/**
 * Lives through a history: payments, deposits, transfers, withdrawals and reorganisations, through the real
 * functions. The same seed gives the same history.
 */
export async function liveOnBitcoin({ stage, model, sql, ...rail }: MemoryRail, seed: number): Promise<void> {
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
  // It was registered an hour ago, because an endpoint that just changed is not compared.
  await inTransaction(sql, async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`UPDATE webhook_endpoints SET created_at = created_at - interval '1 hour'`
    await tx`UPDATE audit_log SET at = at - interval '1 hour' WHERE action LIKE 'webhook_endpoint.%'`
  })
  model.send(rail.fund([100n * PAID]).transaction)
  await look(8)
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
  // A dispute holds what a user has.
  await call('POST', '/exceptions', {
    kind: 'dispute',
    subject: { type: 'user', id: 'ann' },
    reason: 'claimed back',
  })
  const step = async (id: string, expected: WithdrawalStage) => {
    const stage = await rail.step(id)
    if (stage !== expected) throw new Error(`${id} is ${stage}, not ${expected}`)
  }
  const funded = async (...amounts: readonly bigint[]) => {
    const { transaction, coins } = rail.fund(amounts)
    model.send(transaction)
    await look(8)
    return coins
  }
  // A withdrawal that is paid, opened again by a reorg, and paid again.
  const paid = await rail.withdrawal()
  const { transaction } = await rail.attempt(paid, await funded(3n * PAID), 0n)
  model.mine([transaction])
  await look(3)
  await step(paid, 'confirmed')
  model.orphan(4)
  await look(5)
  await step(paid, 'confirming')
  model.mine([transaction])
  await look(3)
  await step(paid, 'confirmed')
  // Strangers spend two coins of the hot wallet, and a reorg takes one spend back.
  model.mine([rail.steal(await funded(2n * PAID))])
  await look(1)
  const lost = await funded(4n * PAID)
  model.mine([rail.steal(lost)])
  await look(1)
  model.orphan(2)
  await look(3)
  // What is open at the end: two withdrawals with attempts that are in no block, each with a coin of its own.
  for (const amount of [5n, 6n]) {
    const coins = await funded(amount * PAID)
    const to_address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
    const open = await stage.request({ network: 'bitcoin', coin: 'btc', amount: '0.1', to_address })
    await stage.approve(open)
    await advanceWithdrawal(sql, networks, open, new Date())
    for (const to of ['building', 'pending_signature', 'signed', 'broadcasting', 'confirming'] as const) {
      await inTransaction(sql, async (tx) =>
        movePayout(tx, networks, await lockWithdrawal(tx, open), { to, actor: 'system:withdrawal' }),
      )
    }
    await rail.attempt(open, coins, 0n)
  }
}
