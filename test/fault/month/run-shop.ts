/** What the shop does in its month: decide held deposits, transfer, pay out, and reconcile. */

import { getAddress, type Hex } from 'viem'
import { createClient } from '../../../client/create-client.js'
import type { Deposit, WebhookDelivery } from '../../../client/types.js'
import type { ExceptionKind } from '../../../domain/books/exception.js'
import { parseAmount } from '../../../domain/money.js'
import { evmClients } from '../../../local/parts/usdt.js'
import type { Exception } from '../../../wire/exception.js'
import type { ReconciliationRun } from '../../../wire/reconciliation.js'
import { approve, PATIENT } from '../approve.js'
import { COINS, type CoinName, freshRecipient } from '../coins.js'
import { all } from '../read-all.js'
import { untilAvailable } from '../users.js'
import { whatIsOpen } from '../what-is-open.js'
import { addressOf } from './lose-coins.js'
import type { Shop } from './open-shop.js'
import { whileFrozen } from './outages.js'
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
  const pay = (address: string, value: bigint) => wallet.sendTransaction({ to: getAddress(address), value })
  const heldOf = (user: string): Promise<Deposit> =>
    until(`The deposit of ${user} is not held`, async () => {
      const { items } = await client.deposits.list({ user_reference: user })
      return items.find(({ status }) => status === 'held') ?? null
    })
  const { customer, address } = shop.the('is held')
  for (const user of ['held-1', 'held-2'])
    await pay((await addressOf(shop, user, 'ethereum')).address, parseAmount('0.5', 18))
  await pay(address, customer.amount)
  const [released, rejected, undecided] = await Promise.all([
    heldOf('held-1'),
    heldOf('held-2'),
    heldOf(customer.user),
  ])
  await client.deposits.release(released.id, { reason: 'The sender is known' })
  await client.deposits.reject(rejected.id, { reason: 'The sender is on a list' })
  return { rejected: rejected.id, undecided }
}

/** Moves value on the books, as soon as its senders have it. */
export async function transfer(shop: Shop): Promise<void> {
  for (const order of shop.byCourse('usdt', 'pays').slice(-TRANSFERS)) {
    await shop.untilStatus(order, 'confirmed')
    await shop.client.transfers.create({
      from_user_reference: order.customer.user,
      to_user_reference: null,
      network: 'ethereum',
      coin: 'usdt',
      amount: '1',
      reason: 'A fee of the shop',
    })
  }
}

/**
 * Pays out in each coin, while the signer hangs until the queue has each payout as stuck. @returns Ids of the payouts.
 */
export async function withdrawWithoutSigner(shop: Shop): Promise<string[]> {
  const { facts, client, stack } = shop
  const withdrawals: { coin: CoinName; user: string | null; amount: string }[] = [
    { coin: 'btc', user: null, amount: '0.05' },
    { coin: 'eth', user: 'held-1', amount: '0.1' },
    ...shop
      .byCourse('usdt', 'pays')
      .slice(-2)
      .map(({ customer }) => ({ coin: 'usdt' as const, user: customer.user, amount: '2' })),
  ]
  for (const { coin, user, amount } of withdrawals) {
    const { network, decimals } = COINS[coin]
    if (user) await untilAvailable(client, user, { network, coin, decimals }, parseAmount(amount, decimals))
  }
  return whileFrozen(stack, 'signer', async () => {
    const ids: string[] = []
    for (const { coin, user, amount } of withdrawals) {
      const { id } = await client.withdrawals.create({
        network: COINS[coin].network,
        coin,
        amount,
        to_address: freshRecipient(coin),
        priority: 'high',
        ...(user ? { user_reference: user } : {}),
      })
      await approve(facts, 'withdrawals', id, [0, 0])
      ids.push(id)
    }
    await until('The payouts are not stuck', async () => {
      const stuck = await exceptionsOf(shop, 'stuck')
      return ids.every((id) => stuck.some(({ subject }) => subject.id === id)) ? true : null
    })
    return ids
  })
}

/** Lets the operator have the blocks of an address scanned again, and waits until that has ended. */
export async function rescan({ facts }: Shop, { address }: { readonly address: string }): Promise<void> {
  const { operator } = createClient({
    baseUrl: facts.api,
    apiKey: facts.operator.api_key,
    apiSecret: facts.operator.api_secret,
    ...PATIENT,
  })
  const { id } = await operator.rescans.start({ network: 'bitcoin', address })
  await until('The rescan has not ended', async () => {
    const { status, failure } = await operator.rescans.get(id)
    if (failure) throw new Error(`It failed: ${failure.message}`)
    return status === 'completed' ? true : null
  })
}

/** Returns all exceptions of a kind that were ever raised. */
export function exceptionsOf({ client }: Shop, kind: ExceptionKind): Promise<Exception[]> {
  return all((cursor) => client.exceptions.list({ kind, limit: 100, ...cursor }))
}

/**
 * Waits until nothing is under way but payments without their money and the deposit that waits for a reviewer,
 * the dead endpoint is given up, and nothing is stuck any more.
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
    // The sweeper closes what was stuck some seconds after the payout is confirmed.
    const stuck = (await exceptionsOf(shop, 'stuck')).filter(({ status }) => status !== 'resolved')
    open.push(...stuck.map(({ subject }) => `stuck: ${subject.id}`))
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
