/** Compares a merchant's books with a chain at one block, through the auditor's own reading of the chain. */

import { AuditFailure } from '../../../auditor/audit-failure.js'
import { findHash } from '../../../auditor/find-hash.js'
import { requireCaughtUp } from '../../../auditor/require-caught-up.js'
import type { BlockPoint } from '../../../auditor/utxo/open-chain.js'
import {
  type ChainAuditRow,
  forgetChainAudit,
  readChainAudit,
  saveChainAudit,
} from '../../../db/auditor/chain-audit-row.js'
import { firstBlock } from '../../../db/auditor/first-block.js'
import { blockHashAt } from '../../../db/chain/block-hash-at.js'
import type { Sql } from '../../../db/connect.js'
import { readCursor } from '../../../db/networks/chain-cursor.js'
import { Findings } from '../../../domain/books/difference.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import type { Network } from '../../../domain/chain/network.js'
import { auditAccounts } from './audit-accounts.js'
import { auditOutputs } from './audit-outputs.js'
import type { ChainAuditOptions, ChainAuditRequest, ChainAuditTask } from './audit-task.js'

/**
 * Result of a comparison. `failed`: nothing was compared, and the reason is no fault of the books. `paused`: its slice
 * was over, and another call with the same key goes on.
 */
export type ChainAudit =
  | {
      readonly kind: 'compared'
      readonly block: BlockPoint
      readonly examined: number
      readonly findings: Findings
    }
  | { readonly kind: 'paused' }
  | { readonly kind: 'failed'; readonly code: AuditFailure['code']; readonly message: string }

/**
 * Compares books and chain. It changes neither. Where no block was asked for, and the nodes no longer keep the balances
 * at the one that was chosen, it begins again at a newer one. It does so once, because a comparison that outlives the
 * state of its block twice would never end.
 *
 * @throws AuditFailure that passes (a node that is away or behind), and any error of the database. The caller tries
 *   again, and gives up with `failed` in the end.
 */
export async function auditChain(
  sql: Sql,
  request: ChainAuditRequest,
  options: ChainAuditOptions = {},
): Promise<ChainAudit> {
  const { key } = request
  try {
    const before = await readChainAudit(sql, key)
    const block = before?.block ?? (await chooseBlock(sql, request, options))
    try {
      return await compareAt(sql, request, options, block, before)
    } catch (error) {
      if (!(error instanceof AuditFailure && error.code === 'NODE_WITHOUT_STATE')) throw error
      if (request.atBlock !== null || before?.renewed) throw error
      const newer = await chooseBlock(sql, request, options)
      if (newer.height <= block.height) throw error
      const again = { block: newer, place: null, examined: 0, found: new Findings(), renewed: true }
      await saveChainAudit(sql, key, again)
      return await compareAt(sql, request, options, newer, again)
    }
  } catch (error) {
    if (!(error instanceof AuditFailure)) throw error
    // What was compared with a block that has left the chain is of no use.
    if (error.code === 'NODE_ON_ANOTHER_BRANCH') await forgetChainAudit(sql, key)
    if (error.passing && !options.last) throw error
    await forgetChainAudit(sql, key)
    return { kind: 'failed', code: error.code, message: error.message }
  }
}

/** Compares at a block. @param before - Where an earlier activity stopped at it. `null` at the beginning. */
async function compareAt(
  sql: Sql,
  request: ChainAuditRequest,
  options: ChainAuditOptions,
  block: BlockPoint,
  before: ChainAuditRow | null,
): Promise<ChainAudit> {
  const { network, key } = request
  const findings = restore(before)
  const task: ChainAuditTask = { ...request, ...options, sql, block, findings, before }
  const examined = await byFamily(network, {
    utxo: (utxo) => auditOutputs(utxo, task),
    evm: (evm) => auditAccounts(evm, task),
  })
  if (examined === 'paused') return { kind: 'paused' }
  await requireScanned(sql, network, block)
  await forgetChainAudit(sql, key)
  return { kind: 'compared', block, examined, findings }
}

async function chooseBlock(
  sql: Sql,
  { network, atBlock, atLeast }: ChainAuditRequest,
  options: ChainAuditOptions,
): Promise<BlockPoint> {
  const cursor = await readCursor(sql, network.name)
  if (!cursor || cursor.height < 0) throw notScanned(`${network.name} has not been scanned yet`)
  // Books that have stopped agree with an old block at each run. A request that names a block is about that one.
  if (atBlock === null) await requireCaughtUp(network, cursor, options)
  const height = atBlock ?? Math.max(0, cursor.height - network.confirmations + 1, atLeast ?? 0)
  if (height > cursor.height) {
    throw notScanned(
      `Block ${height} of ${network.name} is above ${cursor.height}, up to which the books are scanned`,
    )
  }
  const first = await firstBlock(sql, network)
  if (first !== null && height < first) {
    throw notScanned(
      `Block ${height} of ${network.name} is below ${first}, the first one that the books know`,
    )
  }
  if (height === cursor.height) return cursor
  const hash = await blockHashAt(sql, network.name, height)
  return { height, hash: hash ?? (await findHash(network, cursor, height, options)) }
}

/** Requires that the books still stand on the block, because a reorganisation may have come meanwhile. */
async function requireScanned(sql: Sql, network: Network, { height, hash }: BlockPoint): Promise<void> {
  const now = await blockHashAt(sql, network.name, height)
  const cursor = await readCursor(sql, network.name)
  if (cursor !== null && cursor.height >= height && (now === null || now === hash)) return
  throw new AuditFailure(
    'NODE_ON_ANOTHER_BRANCH',
    `Block ${height} of ${network.name} left the chain while it was compared`,
  )
}

function restore(before: ChainAuditRow | null): Findings {
  const findings = new Findings()
  if (!before) return findings
  findings.differences.push(...before.found.differences)
  findings.about.push(...before.found.about)
  findings.expected.push(...before.found.expected)
  findings.differenceCount = before.found.differenceCount
  findings.expectedCount = before.found.expectedCount
  return findings
}

function notScanned(message: string): AuditFailure {
  return new AuditFailure('BLOCK_NOT_SCANNED', message)
}
