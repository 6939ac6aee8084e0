/**
 * Walks the replacement of an attempt that waits for a block by one with a higher fee. Mining rests
 * meanwhile.
 */

import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import type { Client } from '../../client/create-client.js'
import { jsonRpc } from '../parts/json-rpc.js'
import type { StackFile } from '../stack/stack-file.js'
import { ANVIL_BLOCK_SECONDS } from '../stack/start-chains.js'
import type { Leg } from './leg.js'
import { approve, paid } from './people.js'
import { until } from './until.js'

/** Returns the chain that rests: Polygon where it runs, because fewer legs of the walk use it. */
export function restingChain({ networks: { ethereum, polygon } }: StackFile) {
  return polygon
    ? ({ network: 'polygon', coin: 'pol', rpc: polygon.rpc } as const)
    : ({ network: 'ethereum', coin: 'eth', rpc: ethereum.rpc } as const)
}

/** Walks the replacement on the merchant's own account. @throws Error at the first step that fails. */
export async function walkSpeedUp(stack: StackFile, client: Client, leg: Leg): Promise<void> {
  const { network, coin, rpc } = restingChain(stack)
  const mineEvery = (seconds: number) => jsonRpc(rpc, 'evm_setIntervalMining', [seconds])

  leg.begin('withdrawal')
  const { id } = await client.withdrawals.create({
    network,
    coin,
    amount: '0.01',
    to_address: privateKeyToAddress(generatePrivateKey()),
    priority: 'low',
  })
  await mineEvery(0)
  try {
    await approve(stack, 'withdrawals', id)
    const first = await until('the withdrawal is sent', async () => {
      const now = await client.withdrawals.get(id)
      return now.status === 'confirming' ? now : null
    })
    leg.done(`sent, and waits for a block (${first.transaction_hash})`)

    leg.begin('speed-up')
    await client.withdrawals.speedUp(id)
    const second = await until('the replacement is sent', async () => {
      const [newest] = (await client.withdrawals.get(id)).attempts
      return newest?.state === 'broadcast' && newest.transaction_hash !== first.transaction_hash
        ? newest
        : null
    })
    leg.done(`replaced by one with a higher fee, without a new approval (${second.transaction_hash})`)
  } finally {
    await mineEvery(ANVIL_BLOCK_SECONDS)
  }

  leg.begin('payout')
  const { attempts, transaction_hash: mined } = await paid(client, id)
  const states = attempts.map(({ state }) => state).join(', ')
  if (states !== 'final, replaced') throw new Error(`the attempts are ${states}`)
  leg.done(`the replacement was mined, the first attempt never will be (${mined})`)
}
