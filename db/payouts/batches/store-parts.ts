/** Stores the transactions of a new batch and the items that each pays, however many, in two statements. */

import { iso, type Transaction } from '../../connect.js'

/** One transaction of a batch. */
export interface NewPart {
  readonly id: string
  readonly items: readonly {
    readonly index: number
    readonly toAddress: string
    readonly amount: bigint
    readonly amountSent: string
  }[]
  /** Base units: what it pays, what it is expected to cost, and what it may cost. */
  readonly amount: bigint
  readonly fee: bigint
  readonly feeLimit: bigint
  readonly confirmations: number
}

export interface PartFacts {
  /** Addresses that are on the sanctions list now. */
  readonly sanctioned: ReadonlySet<string>
  /** Whether a screening service is asked about each recipient before anything is built. */
  readonly screen: boolean
  /** Time of the expected confirmation if it did not wait for people. */
  readonly confirmedAt: Date
  /** Initiator, for the history. */
  readonly cause: string
}

/** Copies what parts share from the batch's row. They wait with it for approvals. */
export async function storeParts(
  tx: Transaction,
  batchId: string,
  parts: readonly NewPart[],
  facts: PartFacts,
): Promise<void> {
  const outputs = parts.map((part) =>
    JSON.stringify(
      part.items.map(({ index, toAddress, amount }) => ({
        index,
        address: toAddress,
        amount: amount.toString(),
      })),
    ),
  )
  await tx`
    INSERT INTO payouts (
      id, kind, batch_id, merchant_id, user_reference, network, coin, amount, to_address, outputs, priority, fee_coin,
      fee_estimate, fee_limit, stage, intent_hash, initiator, approval_requirement, required_confirmations, history,
      estimated_confirmation_at, expires_at, created_at, updated_at)
    SELECT part.id, 'batch_part', batch.id, batch.merchant_id, batch.user_reference, batch.network, batch.coin, part.amount,
           part.to_address, part.outputs::jsonb, batch.priority, batch.fee_coin, part.fee, part.fee_limit,
           'pending_approval', batch.intent_hash, batch.initiator, batch.approval_requirement, part.confirmations,
           jsonb_build_array(jsonb_build_object(
             'stage', 'pending_approval', 'status', 'pending', 'cause', ${facts.cause}::text,
             'at', ${iso(tx, 'batch.created_at')})),
           ${facts.confirmedAt}::timestamptz, batch.expires_at, batch.created_at, batch.created_at
    FROM batches batch, unnest(
      ${parts.map((part) => part.id)}::text[], ${parts.map((part) => part.amount.toString())}::numeric[],
      ${parts.map((part) => part.items[0]?.toAddress ?? '')}::text[], ${outputs}::text[],
      ${parts.map((part) => part.fee.toString())}::numeric[], ${parts.map((part) => part.feeLimit.toString())}::numeric[],
      ${parts.map((part) => part.confirmations)}::int[]
    ) AS part (id, amount, to_address, outputs, fee, fee_limit, confirmations)
    WHERE batch.id = ${batchId}`
  const items = parts.flatMap((part) => part.items.map((item) => ({ ...item, partId: part.id })))
  await tx`
    INSERT INTO batch_items (id, batch_id, index, to_address, amount, amount_sent, part_id, sanctioned, screening)
    SELECT 'item_' || substr(${batchId}, 7) || '_' || item.index, ${batchId}, item.index, item.to_address, item.amount,
           item.amount_sent, item.part_id, item.sanctioned,
           ${facts.screen ? tx.json({ state: 'pending' }) : null}::jsonb
    FROM unnest(
      ${items.map((item) => item.index)}::int[], ${items.map((item) => item.toAddress)}::text[],
      ${items.map((item) => item.amount.toString())}::numeric[], ${items.map((item) => item.amountSent)}::text[],
      ${items.map((item) => item.partId)}::text[],
      ${items.map((item) => String(facts.sanctioned.has(item.toAddress)))}::text[]::boolean[]
    ) AS item (index, to_address, amount, amount_sent, part_id, sanctioned)`
}
