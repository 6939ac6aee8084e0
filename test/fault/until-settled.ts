/** Waits until the stack is settled: all that was requested has happened, and no row or workflow waits. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import type { Sql } from '../../db/connect.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { blockHashAt, type NetworkName } from './rails.js'

const POLL_MS = 1_000
/** Blocks that a scan may be behind its node's head; both move on while the test reads them. */
const MOST_BEHIND = 2
/**
 * Checks in a row that must find everything settled, so that the platform has noticed a reorganisation in
 * between.
 */
const CHECKS = 3

/** Waits until nothing is left to do. @throws Error that lists what is left after `limitMs`. */
export async function untilSettled(
  facts: () => StackFile,
  sql: Sql,
  expected: { readonly deposits: number; readonly withdrawals: number; readonly batches: number },
  limitMs: number,
): Promise<void> {
  const deadline = Date.now() + limitMs
  for (let settled = 0; settled < CHECKS; await sleep(POLL_MS)) {
    const left = await whatIsLeft(facts(), sql, expected).catch((error: unknown) => [String(error)])
    settled = left.length === 0 ? settled + 1 : 0
    if (Date.now() > deadline) throw new Error(`Not settled after ${limitMs / 1_000} s: ${left.join('; ')}`)
  }
}

async function whatIsLeft(
  facts: StackFile,
  sql: Sql,
  expected: { readonly deposits: number; readonly withdrawals: number; readonly batches: number },
): Promise<string[]> {
  const merchant = facts.merchant.id
  const left: string[] = []
  const [counts] = await sql<Record<string, number>[]>`
    SELECT
      (SELECT count(*)::int FROM deposits
       WHERE merchant_id = ${merchant} AND user_reference IS NOT NULL AND status = 'success') AS "deposits credited",
      (SELECT count(*)::int FROM deposits WHERE status <> 'success') AS "deposits not credited",
      (SELECT count(*)::int FROM payouts WHERE kind = 'withdrawal' AND stage = 'confirmed') AS "withdrawals confirmed",
      (SELECT count(*)::int FROM payouts WHERE stage <> 'confirmed') AS "payouts not confirmed",
      (SELECT count(*)::int FROM batches WHERE status = 'confirmed') AS "batches confirmed",
      (SELECT count(*)::int FROM consolidations WHERE due_at IS NOT NULL) AS "addresses to be swept",
      -- An attempt that was replaced, or that no signer took, has ended too.
      (SELECT count(*)::int FROM attempts WHERE state NOT IN ('final', 'replaced', 'abandoned')) AS "attempts open",
      (SELECT count(*)::int FROM events WHERE sequence IS NULL) AS "events not sealed",
      (SELECT count(*)::int FROM audit_log WHERE sequence IS NULL) AS "audit entries not sealed",
      (SELECT count(*)::int FROM webhook_deliveries WHERE status <> 'delivered') AS "webhooks not delivered"`
  for (const [what, count] of Object.entries(counts ?? {})) {
    const wanted =
      {
        'deposits credited': expected.deposits,
        'withdrawals confirmed': expected.withdrawals,
        'batches confirmed': expected.batches,
      }[what] ?? 0
    if (count !== wanted) left.push(`${what}: ${count} instead of ${wanted}`)
  }
  left.push(...(await findUnscanned(facts, sql)), ...(await openWorkflows(facts, PERPETUAL)))
  return left
}

/** Returns a line for each network whose scan is behind its chain or on another branch of it. */
export async function findUnscanned(facts: StackFile, sql: Sql): Promise<string[]> {
  const left: string[] = []
  const cursors = await sql<{ network: string; height: bigint; block_hash: string }[]>`
    SELECT network, height, block_hash FROM chain_cursors`
  for (const { network, height, block_hash } of cursors) {
    const hashAt = (at: number) => blockHashAt(facts, network as NetworkName, at)
    const scanned = Number(height)
    if ((await hashAt(scanned)) !== block_hash) left.push(`${network}: block ${scanned} is another one`)
    if ((await hashAt(scanned + MOST_BEHIND + 1)) !== null)
      left.push(`${network}: scanned up to ${scanned} only`)
  }
  return left
}

/**
 * Types of workflows that run without an end or by their schedule; a workflow of another type that runs waits
 * for something.
 */
export const PERPETUAL: readonly string[] = ['chainWatcher', 'sweeper', 'rebalance']

/** Returns a line for each workflow that runs and whose type is not in `expected`. */
export async function openWorkflows({ temporal }: StackFile, expected: readonly string[]): Promise<string[]> {
  const connection = await Connection.connect({ address: temporal.address, connectTimeout: '5s' })
  try {
    const client = new Client({ connection, namespace: temporal.namespace })
    const open: string[] = []
    for await (const { workflowId, type } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
      if (!expected.includes(type) && !workflowId.startsWith('temporal-sys')) open.push(`${workflowId} runs`)
    }
    return open
  } finally {
    await connection.close()
  }
}
