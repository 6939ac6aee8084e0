/** Walks a sweep of the tokens of a user's address to the master wallet: first gas, then all tokens. */

import type { Client } from '../../client/create-client.js'
import type { Address } from '../../client/types.js'
import type { Flow } from './flows.js'
import type { Leg } from './leg.js'
import { until } from './until.js'

/** Walks the sweep. @throws Error at the first step that fails. */
export async function walkConsolidation(
  client: Client,
  flow: Flow,
  address: Address,
  leg: Leg,
): Promise<void> {
  const { network, coin } = flow
  leg.begin('consolidation')
  const [before, mineBefore] = [await availableOf(client), await onChain(client, address, coin)]
  const { consolidations } = await client.movements.consolidate({ network, coin, address_id: address.id })
  if (consolidations.length !== 1) throw new Error(`${consolidations.length} workflows were started`)
  leg.done(`sweep of ${mineBefore} ${coin} requested (${consolidations[0]?.workflow_id})`)

  const moved = (kind: 'gas_funding' | 'consolidation') =>
    until(`the ${kind} is confirmed`, async () => {
      const { items } = await client.movements.list({ kind, network, limit: 100 })
      const mine = items.find((each) => [each.from_address, each.to_address].includes(address.address))
      if (mine?.status === 'failed') throw new Error(`${mine.failure?.code}: ${mine.failure?.message}`)
      return mine?.status === 'confirmed' ? mine : null
    })
  leg.begin('gas')
  const gas = await moved('gas_funding')
  leg.done(`the gas wallet gave ${gas.amount} ${gas.coin} (${gas.transaction_hash})`)

  leg.begin('sweep')
  const sweep = await moved('consolidation')
  leg.done(`the master wallet has ${sweep.amount} ${sweep.coin} (${sweep.transaction_hash})`)

  leg.begin('balances')
  const left = await onChain(client, address, coin)
  if (left !== '0' || (await flow.holds(address.address)) !== 0n)
    throw new Error(`the address still holds ${left} ${coin}`)
  const after = await availableOf(client)
  if (after !== before) throw new Error(`the user has ${after}, not ${before}`)
  leg.done(`the address is empty, the user still has ${after} ${coin}`)

  async function availableOf(by: Client): Promise<string> {
    const { items } = await by.balances.list({ user_reference: address.user_reference ?? '', network, coin })
    return items[0]?.available ?? '0'
  }
}

async function onChain(client: Client, { id }: Address, coin: string): Promise<string> {
  const { items } = await client.balances.list({ address_id: id })
  return items.find((each) => each.coin === coin)?.blockchain ?? '0'
}
