/** Declares the row of a rescan, and makes the shape in which the API shows it. */

import type { RESCAN_STATUSES, Rescan } from '../../../wire/rescan.js'

export interface RescanRow {
  readonly id: string
  readonly network: string
  readonly transaction_hash: string | null
  readonly from_block: bigint | null
  readonly to_block: bigint | null
  readonly address_id: string | null
  /** The address itself, joined. */
  readonly address: string | null
  readonly status: (typeof RESCAN_STATUSES)[number]
  /** Blocks to scan, in their order. `null` for a range, and until they are found. */
  readonly blocks: readonly bigint[] | null
  readonly blocks_total: bigint | null
  readonly blocks_done: bigint
  readonly deposits: bigint
  readonly deposit_ids: readonly string[]
  readonly failure_code: string | null
  readonly failure_message: string | null
  readonly created_at: Date
  readonly finished_at: Date | null
}

/** Makes the view of a row. */
export function rescanView(row: RescanRow): Rescan {
  const total = row.blocks_total === null ? null : Number(row.blocks_total)
  const done = Number(row.blocks_done)
  return {
    id: row.id,
    status: row.status,
    network: row.network,
    transaction_hash: row.transaction_hash,
    from_block: row.from_block === null ? null : Number(row.from_block),
    to_block: row.to_block === null ? null : Number(row.to_block),
    address: row.address,
    blocks: total,
    blocks_done: done,
    progress:
      row.status === 'completed' ? 1 : total === null || total === 0 ? 0 : Math.min(0.99, done / total),
    deposits: Number(row.deposits),
    deposit_ids: row.deposit_ids,
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
    created_at: row.created_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
  }
}
