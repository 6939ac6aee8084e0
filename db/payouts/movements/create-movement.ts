/**
 * Creates a movement between a merchant's own wallets: row, hold of its fee, frozen intent, event and audit
 * in one transaction.
 */

import { confirmationsUnder } from '../../../domain/chain/confirmations.js'
import { type Coin, type Network, type Networks, nativeCoin } from '../../../domain/chain/network.js'
import type { Requirement } from '../../../domain/controls/approval.js'
import { type Intent, intentHash } from '../../../domain/controls/intent.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { MovementKind } from '../../../domain/payouts/treasury.js'
import { PRIORITY_LEVEL } from '../../../domain/payouts/withdrawal-fee.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import { readPolicy } from '../../controls/policy/read-policy.js'
import { newId } from '../../new-id.js'
import { findPayingSigner } from '../../signing/find-paying-signer.js'
import { takeHold } from '../take-hold.js'
import { appendMovementEvent } from './movement-view.js'

/** Initiator of automatic movements. It is no person's id, so every person may approve. */
export const TREASURY = 'system:treasury'
/** Requirement of automatic movements, which need no approval. */
export const NO_APPROVAL: Requirement = { count: 0, signers: [], roles: [] }

export interface NewMovement {
  readonly kind: MovementKind
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
  /** Base units. With `feePayer` recipient the fee comes out of it. */
  readonly amount: bigint
  /** Paying wallet. `null` where several addresses pay (UTXO). */
  readonly from: { readonly id: string; readonly address: string } | null
  /** Address of one of the merchant's own wallets. */
  readonly toAddress: string
  readonly feePayer: 'sender' | 'recipient'
  /** Base units of the native coin. */
  readonly fee: bigint
  readonly feeLimit: bigint
  readonly requirement: Requirement
  /** What the platform needs to know about the movement later, and why it was created. */
  readonly details: MovementDetails
  readonly expiryMs: number
}

/** Stored as the row's metadata. */
export interface MovementDetails {
  /** Cause, in words. */
  readonly cause: string
  /** Coin for whose sweep gas is funded. */
  readonly serves?: string
  /** Outputs that a consolidation spends. */
  readonly outpoints?: readonly { readonly txid: string; readonly vout: number }[]
}

/**
 * Creates the movement in the caller's transaction.
 *
 * @returns The row's id. `null` while one like it is open.
 * @throws KeyturnError `INSUFFICIENT_BALANCE` when the merchant's own account cannot bear the fee;
 * `NO_SIGNER` when the signer that holds the wallets was revoked.
 */
export async function createMovement(
  tx: Transaction,
  networks: Networks,
  request: NewMovement,
): Promise<string | null> {
  const { network, coin, amount, kind } = request
  const feeCoin = nativeCoin(network)
  const id = newId('mov')
  const now = new Date()
  const expiresAt = new Date(now.getTime() + request.expiryMs)
  const signer = await findPayingSigner(tx, request.merchantId, network.name)
  if (signer === null) {
    throw new KeyturnError('NO_SIGNER', `No signer holds keys of ${network.name} for this merchant`)
  }
  const [, minutes] = PRIORITY_LEVEL.normal.minutes
  const intent: Intent = {
    version: 1,
    kind,
    merchant: request.merchantId,
    withdrawal: id,
    signer,
    external_id: null,
    network: network.caip2,
    asset: { coin: coin.name, contract: coin.contract, decimals: coin.decimals },
    outputs: [{ address: request.toAddress, amount: amount.toString() }],
    fee_payer: request.feePayer,
    fee_limit: { coin: feeCoin.name, amount: request.feeLimit.toString() },
    initiator: TREASURY,
    created_at: now.toISOString(),
    expires_at: expiresAt.toISOString(),
  }
  const hash = intentHash(intent)
  const { policy } = await readPolicy(tx, request.merchantId)
  const inserted = await tx`
    INSERT INTO payouts (
      id, kind, merchant_id, network, coin, amount, to_address, from_address_id, from_address, fee_payer, priority,
      fee_coin, fee_estimate, fee_limit, stage, intent, intent_hash, initiator, approval_requirement, metadata,
      required_confirmations, history, estimated_confirmation_at, expires_at, created_at, updated_at)
    VALUES (
      ${id}, ${kind}, ${request.merchantId}, ${network.name}, ${coin.name}, ${amount.toString()}, ${request.toAddress},
      ${request.from?.id ?? null}, ${request.from?.address ?? null}, ${request.feePayer}, 'normal', ${feeCoin.name},
      ${request.fee.toString()}, ${request.feeLimit.toString()}, 'requested', ${json(tx, intent)}, ${hash},
      ${TREASURY}, ${json(tx, request.requirement)}, ${json(tx, request.details)},
      ${confirmationsUnder(policy.confirmation_tiers, network, coin.name, amount)},
      ${tx.json([{ stage: 'requested', status: 'pending', at: now.toISOString(), cause: request.details.cause }])},
      ${new Date(now.getTime() + minutes * 60_000)}, ${expiresAt}, ${now}, ${now})
    ON CONFLICT DO NOTHING
    RETURNING id`
  if (inserted.length === 0) return null
  // The amount stays the merchant's. What the movement may cost is held, so that it cannot be spent twice
  // meanwhile.
  await takeHold(tx, {
    id,
    merchantId: request.merchantId,
    network,
    coin: feeCoin,
    amount: 0n,
    feeLimit: request.feeLimit,
    feePayer: 'sender',
    userReference: null,
  })
  await appendMovementEvent(tx, networks, { id, merchant_id: request.merchantId }, null)
  await appendAudit(tx, {
    merchantId: request.merchantId,
    actor: TREASURY,
    action: 'movement.requested',
    subject: id,
    data: { intent, intent_hash: hash, approval_requirement: request.requirement, ...request.details },
  })
  return id
}
