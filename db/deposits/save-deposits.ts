/** Writes deposits: columns that never change once, the others each time. */

import type { Transaction } from '../connect.js'
import type { DepositRow } from './deposit-row.js'

/**
 * Inserts new deposits in one statement.
 *
 * @throws PostgresError if another deposit at the same place of its transaction is under way.
 */
export async function insertDeposits(tx: Transaction, rows: readonly DepositRow[]): Promise<void> {
  if (rows.length === 0) return
  await tx`
    INSERT INTO deposits (
      id, merchant_id, network, coin, address_id, user_reference, txid, output_index, variant, amount, status, epoch,
      block_number, block_hash, block_time, required_confirmations, target_height, fee, sources, destinations,
      payment_id, history, detected_at, updated_at)
    SELECT id, merchant_id, network, coin, address_id, user_reference, txid, output_index, variant, amount, status, epoch,
      block_number, block_hash, block_time, required_confirmations, target_height, fee, sources, destinations,
      payment_id, history, detected_at, updated_at
    FROM jsonb_to_recordset(${toJson(rows)}::text::jsonb) AS row (
      id text, merchant_id text, network text, coin text, address_id text, user_reference text, txid text,
      output_index integer, variant integer, amount numeric, status text, epoch integer, block_number bigint, block_hash text,
      block_time timestamptz, required_confirmations integer, target_height bigint, fee numeric, sources jsonb,
      destinations jsonb, payment_id text, history jsonb, detected_at timestamptz, updated_at timestamptz)`
}

/** Writes every column that may change, for rows that the caller holds locked, in one statement. */
export async function saveDeposits(tx: Transaction, rows: readonly DepositRow[]): Promise<void> {
  if (rows.length === 0) return
  await tx`
    UPDATE deposits deposit
    SET status = row.status, epoch = row.epoch, amount = row.amount, required_confirmations = row.required_confirmations,
        block_number = row.block_number, block_hash = row.block_hash,
        block_time = row.block_time, target_height = row.target_height, signalled_at = row.signalled_at, fee = row.fee,
        sources = row.sources, destinations = row.destinations, replaced_by = row.replaced_by,
        absent_since = row.absent_since, history = row.history, updated_at = row.updated_at,
        confirmed_at = row.confirmed_at, credited_at = row.credited_at, workflow_started_at = row.workflow_started_at
    FROM jsonb_to_recordset(${toJson(rows)}::text::jsonb) AS row (
      id text, status text, epoch integer, amount numeric, required_confirmations integer, block_number bigint, block_hash text, block_time timestamptz,
      target_height bigint, signalled_at timestamptz, fee numeric, sources jsonb, destinations jsonb, replaced_by text,
      absent_since timestamptz, history jsonb, updated_at timestamptz, confirmed_at timestamptz,
      credited_at timestamptz, workflow_started_at timestamptz)
    WHERE deposit.id = row.id`
}

function toJson(rows: readonly DepositRow[]): string {
  return JSON.stringify(rows, (_key, value) => (typeof value === 'bigint' ? value.toString() : value))
}
