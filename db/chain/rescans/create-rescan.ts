/** Stores a request to scan blocks again. Its workflow starts after the commit. */

import { byFamily } from '../../../domain/chain/by-family.js'
import type { Network } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { NewRescan } from '../../../wire/rescan.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { readCursor } from '../../networks/chain-cursor.js'
import { newId } from '../../new-id.js'
import { findRescan } from './find-rescan.js'
import type { RescanRow } from './rescan-row.js'

/** Rescans that may be queued or running at a time. Each reads from the same nodes as the watchers. */
const MOST_OPEN = 20
const RETRY_SECONDS = 10

/** Who asks for it. */
export interface RescanRequester {
  /** Id under which the operator's audit log stands. */
  readonly merchantId: string
  readonly actor: string
  readonly createdBy: string
}

/**
 * Stores the request.
 *
 * @throws KeyturnError `BLOCK_NOT_SCANNED` for blocks above the scanned head, `NOT_FOUND` for an address that was not
 *   issued, `RATE_LIMITED` while too many have not ended.
 */
export async function createRescan(
  tx: Transaction,
  network: Network,
  request: NewRescan,
  { merchantId, actor, createdBy }: RescanRequester,
): Promise<RescanRow> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended('rescans', 0))`
  await requireRoom(tx)
  await requireScanned(tx, network.name, request.to_block)
  const { transaction_hash, from_block = null, to_block = null, address } = request
  const addressId = address === undefined ? null : await issuedAddress(tx, network.name, address)
  const id = newId('rsc')
  await tx`
    INSERT INTO rescans (id, network, transaction_hash, from_block, to_block, blocks_total, address_id, created_by)
    VALUES (${id}, ${network.name}, ${transaction_hash === undefined ? null : normalHash(network, transaction_hash)}, ${from_block}, ${to_block},
            ${from_block === null || to_block === null ? null : to_block - from_block + 1}, ${addressId}, ${createdBy})`
  await appendAudit(tx, {
    merchantId,
    actor,
    action: 'rescan.created',
    subject: id,
    data: { ...request },
  })
  const row = await findRescan(tx, id)
  if (!row) throw new Error('The rescan was not stored')
  return row
}

/** Returns the hash as the network writes it. */
function normalHash(network: Network, text: string): string {
  const digits = text.toLowerCase().replace(/^0x/, '')
  return byFamily(network, { utxo: () => digits, evm: () => `0x${digits}` })
}

async function requireRoom(tx: Transaction): Promise<void> {
  const [open] = await tx<{ count: number }[]>`
    SELECT count(*)::integer AS count FROM rescans WHERE status IN ('queued', 'running')`
  if ((open?.count ?? 0) < MOST_OPEN) return
  throw new KeyturnError(
    'RATE_LIMITED',
    `${MOST_OPEN} rescans have not ended, which is the limit. Try again when one has`,
    { retryable: true, details: { limit: MOST_OPEN, retry_after: RETRY_SECONDS } },
  )
}

async function requireScanned(tx: Transaction, network: string, to: number | undefined): Promise<void> {
  const cursor = await readCursor(tx, network)
  const scanned = cursor?.height ?? -1
  if (cursor !== null && (to === undefined || to <= scanned)) return
  throw new KeyturnError(
    'BLOCK_NOT_SCANNED',
    `${network} is scanned up to block ${scanned}. The watcher reads the blocks above it by itself`,
    { details: { network, block: to ?? null, scanned } },
  )
}

async function issuedAddress(tx: Transaction, network: string, text: string): Promise<string> {
  const [row] = await tx<{ id: string }[]>`
    SELECT id FROM addresses WHERE network = ${network} AND address = ${text}`
  if (row) return row.id
  throw new KeyturnError('NOT_FOUND', `No address ${text} was issued on ${network}`, {
    details: { network, address: text },
  })
}
