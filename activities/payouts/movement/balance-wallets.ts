/**
 * Checks every wallet of a network: alerts about low balances, moves hot wallets between their watermarks,
 * and consolidates small outputs.
 */

import { Context } from '@temporalio/activity'
import { listMovedWallets, type MovedWallet } from '../../../db/payouts/movements/list-moved-wallets.js'
import { noteBalance } from '../../../db/payouts/movements/note-balance.js'
import { planRebalance } from '../../../db/payouts/movements/plan-rebalance.js'
import { readWithdrawalInput } from '../../../db/payouts/read-withdrawal-input.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import type { Network } from '../../../domain/chain/network.js'
import type { TreasuryDependencies } from './dependencies.js'
import { treasuryOf } from './plan-step.js'

export interface Balanced {
  /** Wallets whose balance is low now, counted once for each coin. */
  readonly low: number
  /** Rebalances between hot wallets and their master wallet that were created. */
  readonly rebalances: number
  /** Merchants whose small outputs were checked. */
  readonly consolidations: number
}

/**
 * Checks the wallets once. Runs every part even if another fails.
 *
 * @throws The first error, after all parts have run.
 */
export async function balanceWallets(dependencies: TreasuryDependencies): Promise<Balanced> {
  const { sql, networks, log } = dependencies
  const failures: unknown[] = []
  const attempt = async (part: string, run: () => Promise<number>): Promise<number> => {
    Context.current().heartbeat()
    try {
      return await run()
    } catch (error) {
      failures.push(error)
      log.warn({ err: error, part }, 'A part of the check of the wallets failed; the next check tries again')
      return 0
    }
  }
  let [low, rebalances, consolidations] = [0, 0, 0]
  for (const network of networks.values()) {
    const wallets = await listMovedWallets(sql, network.name)
    for (const wallet of wallets) {
      low += await attempt('balances', () => tellLow(dependencies, network, wallet))
      if (!treasuryOf(networks, network.name).automatic) continue
      if (wallet.kind === 'hot')
        rebalances += await attempt('rebalance', () => bringBack(dependencies, network, wallet))
      if (wallet.kind === 'master')
        consolidations += await attempt('outputs', () => consolidate(dependencies, network, wallet))
    }
  }
  if (failures.length > 0) throw failures[0]
  return { low, rebalances, consolidations }
}

async function tellLow(
  { sql, networks }: TreasuryDependencies,
  network: Network,
  wallet: MovedWallet,
): Promise<number> {
  let low = 0
  for (const coin of network.coins) {
    const mark = treasuryOf(networks, network.name).lowBalance[wallet.kind][coin.name]
    // A wallet that could not pay counts as low without a watermark, until it holds something.
    if (mark === undefined && !wallet.low.includes(coin.name)) continue
    if (await noteBalance(sql, networks, wallet.id, coin.name)) low++
  }
  return low
}

async function bringBack(
  { sql, networks, gate }: TreasuryDependencies,
  network: Network,
  wallet: MovedWallet,
): Promise<number> {
  let made = 0
  for (const coin of network.coins) {
    const marks = treasuryOf(networks, network.name).rebalance[coin.name]
    const id = marks && (await planRebalance(sql, networks, { network, coin, wallet, marks }))
    if (!id) continue
    made++
    const input = await readWithdrawalInput(sql, networks, id)
    if (input) await gate.startWithdrawal(input)
  }
  return made
}

async function consolidate(
  { networks, gate }: TreasuryDependencies,
  network: Network,
  wallet: MovedWallet,
): Promise<number> {
  const hasOutputs = byFamily(network, { utxo: () => true, evm: () => false })
  if (!hasOutputs || !treasuryOf(networks, network.name).outputs) return 0
  await gate.startConsolidation({
    merchantId: wallet.merchantId,
    network: network.name,
    coin: network.coins[0]?.name ?? '',
    id: wallet.merchantId,
    title: `small outputs of ${wallet.merchantId}`,
  })
  return 1
}
