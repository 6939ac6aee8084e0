/** What the shop does in its month: decide held deposits, transfer, pay out, and reconcile. */

import { getAddress, type Hex } from 'viem'
import type { Deposit, WebhookDelivery } from '../../../client/types.js'
import { parseAmount } from '../../../domain/money.js'
import { evmClients } from '../../../local/parts/usdt.js'
import type { ReconciliationRun } from '../../../wire/reconciliation.js'
import { approve } from '../approve.js'
import { COINS, type CoinName, freshRecipient } from '../coins.js'
import { all } from '../read-all.js'
import { untilAvailable } from '../users.js'
import { whatIsOpen } from '../what-is-open.js'
import type { Shop } from './open-shop.js'
import { until } from './until.js'

/** Transfers, whose events the dead endpoint refuses. */
export const TRANSFERS = 3
/** Checks in a row that must find everything settled. */
const CHECKS = 3

/** Deposits that are held. */
export interface HeldDeposits {
  /** Id of the one that a reviewer has rejected. */
  readonly rejected: string
  /** The one of a payment, for which a reviewer has yet to decide. */
  readonly undecided: Deposit
}

/** Sends three deposits that are held, releases one, rejects one, and leaves that of a payment. */
export async function decideHeldDeposits(shop: Shop): Promise<HeldDeposits> {
  const { facts, client } = shop
  const { rpc, chain_id: chainId, held_sender: held } = facts.networks.ethereum
  const { wallet } = evmClients(rpc, chainId, held.private_key as Hex)
  const pay = async (user: string, address: string, value: bigint): Promise<Deposit> => {
    await wallet.sendTransaction({ to: getAddress(address), value })
    return until(`The deposit of ${user} is not held`, async () => {
      const { items } = await client.deposits.list({ user_reference: user })
      return items.find(({ status }) => status === 'held') ?? null
    })
  }
  const depositOf = async (user: string): Promise<Deposit> => {
    const { address } = await client.addresses.create({ user_reference: user, network: 'ethereum' })
    return pay(user, address, parseAmount('0.5', 18))
  }
  const released = await depositOf('held-1')
  await client.deposits.release(released.id, { reason: 'The sender is known' })
  const rejected = await depositOf('held-2')
  await client.deposits.reject(rejected.id, { reason: 'The sender is on a list' })
  const { customer, address } = shop.the('is held')
  return { rejected: rejected.id, undecided: await pay(customer.user, address, customer.amount) }
}

/** Moves value on the books, and pays out in each coin. */
export async function transferAndWithdraw(shop: Shop): Promise<void> {
  const { facts, client } = shop
  const payers = shop.byCourse('usdt', 'pays')
  for (const order of payers.slice(-TRANSFERS)) {
    await shop.untilStatus(order, 'confirmed')
    await client.transfers.create({
      from_user_reference: order.customer.user,
      to_user_reference: null,
      network: 'ethereum',
      coin: 'usdt',
      amount: '1',
      reason: 'A fee of the shop',
    })
  }
  const withdrawals: { coin: CoinName; user: string | null; amount: string }[] = [
    { coin: 'btc', user: null, amount: '0.05' },
    { coin: 'eth', user: 'held-1', amount: '0.1' },
    ...payers.slice(-2).map(({ customer }) => ({ coin: 'usdt' as const, user: customer.user, amount: '2' })),
  ]
  for (const { coin, user, amount } of withdrawals) {
    const { network, decimals } = COINS[coin]
    if (user) await untilAvailable(client, user, { network, coin, decimals }, parseAmount(amount, decimals))
    const created = await client.withdrawals.create({
      network,
      coin,
      amount,
      to_address: freshRecipient(coin),
      priority: 'high',
      ...(user ? { user_reference: user } : {}),
    })
    await approve(facts, 'withdrawals', created.id, [0, 0])
  }
}

/**
 * Waits until nothing is under way but payments without their money and the deposit that waits for a reviewer,
 * and the dead endpoint is given up.
 */
export async function untilSettled(shop: Shop, { undecided }: HeldDeposits): Promise<void> {
  let settled = 0
  await until('Not settled', async () => {
    const open = (await whatIsOpen(shop.stack.facts(), shop.sql)).filter(
      (line) =>
        !line.startsWith('payment:') &&
        !line.includes(undecided.transaction_hash) &&
        line !== `webhooks not delivered: ${TRANSFERS}`,
    )
    const exhausted = (await deadDeliveries(shop)).length
    if (exhausted < TRANSFERS) open.push(`deliveries that are exhausted: ${exhausted}`)
    settled = open.length === 0 ? settled + 1 : 0
    if (open.length > 0) throw new Error(open.join('; '))
    return settled === CHECKS ? true : null
  })
}

/** Returns the deliveries that the dead endpoint refused until their end. */
export function deadDeliveries({ client, deadEndpoint }: Shop): Promise<WebhookDelivery[]> {
  return all((cursor) =>
    client.webhookDeliveries.list({ endpoint_id: deadEndpoint, status: 'exhausted', limit: 100, ...cursor }),
  )
}

/** Makes a reconciliation, and waits until it has ended. */
export async function reconcile({ client }: Shop, scope?: readonly ['internal']): Promise<ReconciliationRun> {
  const { id } = await client.reconciliation.runs.start(scope ? { scope: [...scope] } : {})
  return until('The reconciliation has not ended', async () => {
    const run = await client.reconciliation.runs.get(id)
    return run.status === 'running' ? null : run
  })
}
