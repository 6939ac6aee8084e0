/**
 * Walks the main job with one coin: address, deposit, webhooks, withdrawal, two approvals, payout, balances.
 */

import type { Client } from '../../client/create-client.js'
import type { Address } from '../../client/types.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { StackFile } from '../stack/stack-file.js'
import type { Flow } from './flows.js'
import type { Leg } from './leg.js'
import { approve, paid } from './people.js'
import { until } from './until.js'
import { webhooksOf } from './webhooks.js'

/** Walks the main job. @returns The user's address. @throws Error at the first step that fails. */
export async function walkMainJob(
  stack: StackFile,
  client: Client,
  user: string,
  flow: Flow,
  leg: Leg,
): Promise<Address> {
  leg.begin('address')
  // The client throws when the address is not derived from the keys that the signer exported.
  const address = await client.addresses.create({ user_reference: user, network: flow.network })
  leg.done(`address ${address.address} is derived from the signer's own key (${address.derivation_path})`)

  leg.begin('deposit')
  const txid = await flow.pay(address.address, parseAmount(flow.deposited, flow.decimals))
  const credited = await until('the deposit is credited', async () => {
    const [found] = (await client.deposits.list({ transaction_hash: txid })).items
    return found?.status === 'success' ? found : null
  })
  leg.done(`deposit of ${credited.amount} credited after ${credited.confirmations} confirmations (${txid})`)

  leg.begin('deposit webhooks')
  const received = await webhooksOf(stack, credited.id, 'deposit.status_changed', 'success')
  leg.done(`${received} deposit webhooks received and verified`)

  leg.begin('withdrawal')
  const recipient = flow.stranger()
  const created = await client.withdrawals.create({
    network: flow.network,
    coin: flow.coin,
    amount: flow.withdrawn,
    to_address: recipient,
    priority: 'high',
    user_reference: user,
  })
  leg.done(`withdrawal of ${flow.withdrawn} to ${recipient} requested (${created.id})`)

  leg.begin('approvals')
  leg.done(`approved by ${await approve(stack, 'withdrawals', created.id)}`)

  leg.begin('payout')
  const confirmed = await paid(client, created.id)
  leg.done(
    `signed by the customer's signer, confirmed (${confirmed.transaction_hash}, fee ${confirmed.fee} ${confirmed.fee_coin})`,
  )

  leg.begin('balances')
  const held = await flow.holds(recipient)
  if (held !== parseAmount(flow.withdrawn, flow.decimals))
    throw new Error(`the recipient holds ${formatAmount(held, flow.decimals)} ${flow.coin} on chain`)
  const left = await balanceOf(client, user, flow)
  const fee = confirmed.fee_coin === flow.coin ? parseAmount(confirmed.fee, flow.decimals) : 0n
  const expected =
    parseAmount(flow.deposited, flow.decimals) - parseAmount(flow.withdrawn, flow.decimals) - fee
  if (left !== expected)
    throw new Error(
      `the user has ${formatAmount(left, flow.decimals)}, not ${formatAmount(expected, flow.decimals)}`,
    )
  const withdrawalTold = await webhooksOf(stack, created.id, 'withdrawal.status_changed', 'confirmed')
  leg.done(
    `recipient has it on chain, the user ${formatAmount(left, flow.decimals)} left; ${withdrawalTold} withdrawal webhooks verified`,
  )
  return address
}

async function balanceOf(client: Client, user: string, flow: Flow): Promise<bigint> {
  const { items } = await client.balances.list({ user_reference: user, network: flow.network })
  const found = items.find((each) => each.coin === flow.coin)
  return parseAmount(found?.available ?? '0', flow.decimals)
}
