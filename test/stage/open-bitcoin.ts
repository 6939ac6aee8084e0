/** Opens Bitcoin on btcd, with outputs of 1 BTC that came to the hot wallet as deposits. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { UtxoAdapter } from '../../chains/adapter.js'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../db/deposits/credit-deposit.js'
import type { Networks } from '../../domain/chain/network.js'
import { type TestBitcoin, testBtcd } from '../support/btcd.js'
import { type MinedRail, openMinedRail, type StageParts } from './open-rail.js'
import type { Stage } from './start-stage.js'
import { testNetworks } from './test-networks.js'

/** Satoshis of each output. */
export const BTC = 100_000_000n

export interface BitcoinOptions extends StageParts {
  /** Number of the outputs that the hot wallet starts with. Default: none. */
  readonly outputs?: number
  /** Variables of `testNetworks` besides those that name the node. */
  readonly variables?: Record<string, string>
  /** Changes the networks, e.g. gives them rules of the treasury. */
  readonly change?: (networks: Networks) => Networks
}

export interface BitcoinRail extends MinedRail<TestBitcoin> {
  readonly bitcoin: TestBitcoin
  readonly adapter: UtxoAdapter
}

/** Opens the rail, which mines until a test calls `mining(false)`. */
export async function openBitcoin(options: BitcoinOptions = {}): Promise<BitcoinRail> {
  const { outputs = 0, variables, change = (networks) => networks, ...parts } = options
  const rail = await openMinedRail<TestBitcoin>({
    ...parts,
    start: testBtcd,
    networks: ({ rpc }) => change(testNetworks({ BITCOIN_ENABLED: 'true', BITCOIN_RPC: rpc, ...variables })),
  })
  if (outputs > 0) await depositOutputs(rail.stage, rail.node, outputs)
  await rail.mining(true)
  return { ...rail, bitcoin: rail.node, adapter: rail.stage.adapters.get('bitcoin') as UtxoAdapter }
}

async function depositOutputs(stage: Stage, bitcoin: TestBitcoin, outputs: number): Promise<void> {
  const { sql } = stage.api.database
  const { address } = await stage.wallet('bitcoin', 'hot')
  await bitcoin.faucet.pay(Array.from({ length: outputs }, () => ({ address, amount: BTC })))
  await bitcoin.mine(3)
  while ((await sql`SELECT 1 FROM deposits`).length < outputs) await sleep(50)
  for (;;) {
    const rows = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE status <> 'success'`
    if (rows.length === 0) return
    for (const { id } of rows) {
      await confirmDeposit(sql, stage.networks, id)
      await creditDeposit(sql, stage.networks, id)
    }
    await sleep(50)
  }
}
