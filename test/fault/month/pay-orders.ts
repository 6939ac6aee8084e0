/** What customers of the shop do on the chains: order, pay as agreed or otherwise, and lose a payment. */

import { setTimeout as sleep } from 'node:timers/promises'
import { encodeFunctionData, getAddress, type Hex } from 'viem'
import { formatAmount, parseAmount } from '../../../domain/money.js'
import { jsonRpc } from '../../../local/parts/json-rpc.js'
import { evmClients, USDT_ABI } from '../../../local/parts/usdt.js'
import type { CoinName } from '../coins.js'
import { reorganise } from '../reorganise.js'
import { CUSTOMERS } from './customers.js'
import type { Shop } from './open-shop.js'
import { freeze } from './outages.js'
import { type Course, type Customer, depositsOf, FULFILLED } from './plan-month.js'

/** Third account of Anvil's published test mnemonic. Its wallet sends nothing again. */
const FORGETFUL_KEY: Hex = '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a'
/** Seconds until payments expire that must not before the month is closed. */
const MONTH_SECONDS = 86_400
/** Seconds until payments expire that must. All but the late ones are paid before, some of them in part. */
const EXPIRES_SECONDS: Readonly<Partial<Record<Course, number>>> = {
  'pays late': 5,
  'pays too little': 45,
  // A busy machine sees a deposit late. Many customers keep it busy.
  'is confirmed late': 20 + Math.ceil(CUSTOMERS / 40),
}
/** Longer than three confirmations of two seconds usually take, after the end of a payment. */
const MUCH_LATER_MS = 8_000
/** More than a transfer of the token takes. A block has room for some hundreds of them. */
const TRANSFER_GAS = 100_000n
const OUTPUTS_A_TRANSACTION = 50
const REQUESTS_AT_ONCE = 8
/** Ether that a customer sends to the address of a payment of tokens. */
export const OTHER_COIN = '0.031'

/** Makes the payments of all customers, and cancels those that must be. Who pays too little does so at once. */
export async function order(shop: Shop, customers: readonly Customer[]): Promise<void> {
  const { client, bitcoin, orders } = shop
  const waiting = [...customers]
  const work = async () => {
    for (let customer = waiting.shift(); customer; customer = waiting.shift()) {
      const { user, network, coin, amount, decimals, orderId, course } = customer
      const { payment_id: paymentId, address } = await client.payments.create(
        {
          user_reference: user,
          network,
          coin,
          amount: formatAmount(amount, decimals),
          order_id: orderId,
          expires_in_seconds: EXPIRES_SECONDS[course] ?? MONTH_SECONDS,
        },
        { idempotencyKey: orderId },
      )
      if (course === 'pays after the cancellation') await client.payments.cancel(paymentId)
      if (course === 'pays too little') {
        await bitcoin.pay(depositsOf(customer).map((part) => ({ address, amount: part })))
      }
      orders.push({ customer, paymentId, address })
    }
  }
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work))
}

/** Pays an order in time. @returns A function that stops the blocks until long after the payment's end. */
export async function payBeforeOutage(
  shop: Shop,
  customers: readonly Customer[],
): Promise<() => Promise<void>> {
  await order(shop, customers)
  const late = shop.the('is confirmed late')
  await shop.bitcoin.pay([{ address: late.address, amount: late.customer.amount }])
  await shop.untilStatus(late, 'paid')
  const { expires_at: end } = await shop.client.payments.get(late.paymentId)
  return () => freeze(shop.stack, 'bitcoin', Date.parse(end) + MUCH_LATER_MS - Date.now())
}

/** Pays by a wallet that forgets, waits for the credit, and replaces the blocks that hold the transaction. */
export async function takeBack(shop: Shop): Promise<void> {
  const { facts } = shop
  const lost = shop.the('is taken back')
  const { rpc, chain_id: chainId } = facts.networks.ethereum
  const forgetful = evmClients(rpc, chainId, FORGETFUL_KEY)
  // The blocks before hold other transactions, and stay.
  await jsonRpc(rpc, 'anvil_mine', ['0x5'])
  const hash = await forgetful.wallet.sendTransaction({
    to: getAddress(lost.address),
    value: lost.customer.amount,
  })
  await shop.untilStatus(lost, 'confirmed')
  const { blockNumber } = await forgetful.reader.getTransactionReceipt({ hash })
  const depth = (await forgetful.reader.getBlockNumber({ cacheTime: 0 })) - blockNumber + 1n
  // The chain may grow between reading its height and reorganising it.
  await reorganise(facts, 'ethereum', Number(depth) + 2)
  await shop.untilStatus(lost, 'pending')
}

/** Pays in rounds: the first deposits of all customers, many in a transaction, then the second ones. */
export async function payInBitcoin(shop: Shop): Promise<void> {
  for (const round of [0, 1]) {
    const outputs = depositsIn(shop, 'btc', round)
    for (let index = 0; index < outputs.length; index += OUTPUTS_A_TRANSACTION) {
      await shop.bitcoin.pay(outputs.slice(index, index + OUTPUTS_A_TRANSACTION))
      await sleep(500)
    }
  }
}

/** Pays tokens in the same rounds, and ether where a customer chose the wrong coin. */
export async function payOnEthereum(shop: Shop): Promise<void> {
  for (const round of [0, 1]) {
    for (const { address, amount } of depositsIn(shop, 'usdt', round)) await sendTokens(shop, address, amount)
  }
  for (const { address } of shop.byCourse('usdt', 'pays another coin')) {
    await shop.ethereum.send({ to: getAddress(address), value: parseAmount(OTHER_COIN, 18) })
  }
  await shop.ethereum.mined()
}

/** Pays the payments that have expired or were cancelled. */
export async function payLate(shop: Shop): Promise<void> {
  const late = { btc: shop.byCourse('btc', 'pays late'), usdt: shop.byCourse('usdt', 'pays late') }
  for (const each of [...late.btc, ...late.usdt, ...shop.byCourse('btc', 'pays too little')]) {
    await shop.untilStatus(each, 'expired')
  }
  for (const { customer, address } of [...late.btc, ...shop.byCourse('btc', 'pays after the cancellation')]) {
    await shop.bitcoin.pay([{ address, amount: customer.amount }])
  }
  for (const { customer, address } of late.usdt) await sendTokens(shop, address, customer.amount)
  await shop.ethereum.mined()
}

/** Returns one deposit of each customer who pays as soon as everybody has ordered. */
function depositsIn(shop: Shop, coin: CoinName, round: number): { address: string; amount: bigint }[] {
  return shop.byCourse(coin, ...FULFILLED).flatMap(({ customer, address }) => {
    const amount = depositsOf(customer)[round]
    return amount === undefined ? [] : [{ address, amount }]
  })
}

function sendTokens({ facts, ethereum }: Shop, address: string, amount: bigint): Promise<Hex> {
  const usdt = getAddress(facts.networks.ethereum.tokens.usdt.address)
  const data = encodeFunctionData({
    abi: USDT_ABI,
    functionName: 'transfer',
    args: [getAddress(address), amount],
  })
  return ethereum.send({ to: usdt, data, gas: TRANSFER_GAS })
}
