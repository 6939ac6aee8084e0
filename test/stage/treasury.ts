/**
 * Helps tests of movements: sets rules, credits deposits as their workflow does, and compares the books with
 * the chain.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { createDepositActivities } from '../../activities/deposits/deposit.js'
import type { Network, Networks } from '../../domain/chain/network.js'
import { NO_TREASURY, type Treasury } from '../../domain/payouts/treasury.js'
import { isWithdrawalFinal } from '../../domain/payouts/withdrawal-stage.js'
import { consolidationId } from '../../temporal/ids.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import type { Movement } from '../../wire/movement.js'
import type { TestTemporal } from '../support/temporal.js'
import { storeHistory } from './histories.js'
import { depositsOf } from './rail-steps.js'
import type { Stage } from './start-stage.js'

/** Returns the networks with rules of the treasury for one of them. */
export function withTreasury(networks: Networks, name: string, rules: Partial<Treasury>): Networks {
  const found = networks.get(name)
  if (!found) throw new Error(`no network ${name}`)
  const treasury: Treasury = { ...NO_TREASURY, automatic: true, ...rules }
  return new Map<string, Network>([...networks, [name, { ...found, treasury }]])
}

/**
 * Takes the steps of deposits as their workflow does, consolidation included. The chain must grow meanwhile.
 */
export async function creditAsWorkflow(stage: Stage, temporal: TestTemporal, txid: string): Promise<void> {
  const { confirmDeposit, creditDeposit } = createDepositActivities({
    sql: stage.api.database.sql,
    networks: stage.networks,
    screen: false,
    startConsolidation: createWorkflowGate(temporal.client.workflow).startConsolidation,
  })
  for (let attempt = 0; attempt < 600; attempt++) {
    const deposits = await depositsOf(stage, txid)
    for (const { id, status } of deposits) {
      if (status === 'success') continue
      await confirmDeposit(id)
      await creditDeposit(id)
    }
    if (deposits.length > 0 && deposits.every(({ status }) => status === 'success')) return
    await sleep(50)
  }
  throw new Error(`${txid} was not credited`)
}

/** Returns the movements as the API lists them, oldest first. */
export async function movementsOf(stage: Stage, filter = ''): Promise<Movement[]> {
  const { status, json } = await stage.api.call({ path: `/api/v1/movements?limit=100${filter}` })
  if (status !== 200) throw new Error(JSON.stringify(json))
  return (json.data as Movement[]).reverse()
}

/** Waits for a movement that `wanted` accepts. */
export async function untilMovement(
  stage: Stage,
  wanted: (movement: Movement) => boolean,
  seconds = 60,
): Promise<Movement> {
  const deadline = Date.now() + seconds * 1_000
  for (;;) {
    const movements = await movementsOf(stage)
    const found = movements.find(wanted)
    if (found) return found
    if (Date.now() > deadline) {
      const seen = movements.map(({ kind, coin, stage: at, failure, waiting }) => ({
        kind,
        coin,
        at,
        failure,
        waiting,
      }))
      throw new Error(`no such movement: ${JSON.stringify(seen)}`)
    }
    await sleep(100)
  }
}

/**
 * Waits for the end of a consolidation's workflow. Stores its history as `name` when a run records histories.
 */
export async function consolidated(
  temporal: TestTemporal,
  network: string,
  coin: string,
  id: string,
  name: string | null = null,
): Promise<{ movements: readonly string[]; message: string }> {
  const handle = temporal.client.workflow.getHandle(consolidationId(network, coin, id))
  const result = await handle.result()
  if (name) await storeHistory(`consolidation.${name}`, () => handle.fetchHistory())
  return result as { movements: readonly string[]; message: string }
}

/** Runs a workflow to its end. Stores its history as `name` when a run records histories. */
export async function recordHistory(
  temporal: TestTemporal,
  type: 'rebalance',
  workflowId: string,
  name: string | null,
): Promise<unknown> {
  const handle = await temporal.client.workflow.start(type, { workflowId, taskQueue: 'core', args: [] })
  const result = await handle.result()
  if (name) await storeHistory(`${type}.${name}`, () => handle.fetchHistory())
  return result
}

/** Waits until every movement is final. */
export async function untilQuiet(stage: Stage): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const movements = await movementsOf(stage)
    if (movements.every((movement) => isWithdrawalFinal(movement.stage))) return
    await sleep(100)
  }
  throw new Error('something still moves')
}

/**
 * Expects that the books equal the chain at each address, that nothing is held, and that every journal
 * balances.
 */
export async function expectBooksToBeTheChain(stage: Stage, network: string): Promise<void> {
  const { sql } = stage.api.database
  const adapter = stage.adapters.get(network)
  const coins = stage.networks.get(network)?.coins ?? []
  if (!adapter) throw new Error(`no adapter of ${network}`)
  const addresses = await sql<{ id: string; kind: string; address: string }[]>`
    SELECT id, kind, address FROM addresses WHERE network = ${network} ORDER BY id`
  for (const { id, kind, address } of addresses) {
    for (const coin of coins) {
      const books = await stage.balance(network, coin.name, 'chain', id)
      expect(books, `${coin.name} of the ${kind} address ${address}`).toBe(
        await adapter.balance(address, coin.name),
      )
    }
  }
  for (const coin of coins) expect(await stage.balance(network, coin.name, 'reserved', '')).toBe(0n)
  const unbalanced = await sql`
    SELECT entry.journal_id FROM ledger_entries entry JOIN ledger_accounts account ON account.id = entry.account_id
    GROUP BY entry.journal_id, account.network, account.coin HAVING sum(entry.amount) <> 0`
  expect(unbalanced).toEqual([])
}
