/** Opens the shop: a whole stack, wallets of its customers, its endpoints, and the states of its orders. */

import type { Hex } from 'viem'
import type { Client } from '../../../client/create-client.js'
import { connect, type Sql } from '../../../db/connect.js'
import type { StackFile } from '../../../local/stack/stack-file.js'
import { answers, startWebhookReceiver } from '../../support/webhook-receiver.js'
import { type BitcoinWallet, createBitcoinWallet } from '../bitcoin-wallet.js'
import type { CoinName } from '../coins.js'
import { createEthereumWallet, type EthereumWallet } from '../ethereum-wallet.js'
import { endStack, type FaultStack, startFaultStack } from '../stack.js'
import { fundWithTokens, openClient, WALLET_KEY } from '../users.js'
import { CUSTOMERS } from './customers.js'
import type { Course, Customer } from './plan-month.js'
import { storeMapping } from './store-mapping.js'
import { until } from './until.js'

/** More than a customer pays in all. */
const TOKENS_EACH = 1_000

/** An order of a customer, and the payment that the shop made for it. */
export interface Order {
  readonly customer: Customer
  readonly paymentId: string
  readonly address: string
}

export interface Shop {
  readonly stack: FaultStack
  readonly facts: StackFile
  readonly sql: Sql
  readonly client: Client
  readonly bitcoin: BitcoinWallet
  readonly ethereum: EthereumWallet
  /** URL with `user:password@`. */
  readonly bitcoinRpc: string
  /** Endpoint that refuses every webhook. It takes transfers alone. */
  readonly deadEndpoint: string
  /** Orders, in the order in which their payments were made. */
  readonly orders: Order[]
  /** Returns the orders of a coin whose customers take one of the courses. */
  byCourse(coin: CoinName, ...courses: readonly Course[]): Order[]
  /** Returns the first order whose customer takes a course. */
  the(course: Course): Order
  untilStatus(order: Order, status: string): Promise<void>
  close(failed: boolean): Promise<void>
}

/** Opens it. @param seed - Printed when the test fails. */
export async function openShop(seed: number): Promise<Shop> {
  const stack = await startFaultStack(() => ({
    KEYTURN_LOCAL_NETWORKS: 'bitcoin',
    KEYTURN_SWEEP_INTERVAL: '5s',
    KEYTURN_WEBHOOK_RETRY_INTERVAL: '4s',
    KEYTURN_WEBHOOK_RETRY_WINDOW: '24s',
    // A payout that no block holds is stuck after some seconds, instead of a multiple of a quarter of an hour.
    KEYTURN_ALERT_STUCK_FACTOR: '0.01',
    KEYTURN_REBROADCAST_INTERVAL: '3s',
  }))
  const facts = stack.facts()
  const { ethereum: chain, bitcoin: utxo } = facts.networks
  if (!utxo) throw new Error('There is no Bitcoin node')
  const sql = connect(facts.postgres, { max: 4, name: 'keyturn-month-test' })
  const client = openClient(facts)
  const bitcoin = createBitcoinWallet(utxo.rpc, utxo.faucet_wif)
  const ethereum = createEthereumWallet(chain.rpc, chain.chain_id, WALLET_KEY as Hex)
  await fundWithTokens(chain, chain.tokens.usdt.address, ethereum.address, TOKENS_EACH * CUSTOMERS)
  await storeMapping(client)
  await client.webhookEndpoints.update(facts.webhook.endpoint_id, {
    event_types: ['payment.status_changed', 'withdrawal.status_changed', 'exception.raised'],
  })
  const dead = await startWebhookReceiver()
  dead.behave(answers(503))
  const endpoint = await client.webhookEndpoints.create({ url: dead.url, event_types: ['transfer.created'] })
  const orders: Order[] = []
  return {
    stack,
    facts,
    sql,
    client,
    bitcoin,
    ethereum,
    bitcoinRpc: utxo.rpc,
    deadEndpoint: endpoint.id,
    orders,
    byCourse: (coin, ...courses) =>
      orders.filter(({ customer }) => customer.coin === coin && courses.includes(customer.course)),
    the(course) {
      const found = orders.find(({ customer }) => customer.course === course)
      if (!found) throw new Error(`The month has no customer who ${course}`)
      return found
    },
    async untilStatus({ paymentId }, status) {
      await until(`${paymentId} is not ${status}`, async () =>
        (await client.payments.get(paymentId)).status === status ? true : null,
      )
    },
    async close(failed) {
      await Promise.all([bitcoin.stop(), ethereum.stop(), dead.close()])
      await sql.end({ timeout: 1 })
      await endStack(stack, failed, seed)
    },
  }
}
