/** Requests the release of a held deposit, if the policy wants two people to approve it. */

import { findNetwork, knownCoin, type Networks } from '../../domain/chain/network.js'
import type { DepositReleaseIntent } from '../../domain/controls/intent.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Transaction } from '../connect.js'
import type { DepositReleaseRow } from '../controls/changes/control-change-row.js'
import { insertControlChange } from '../controls/changes/insert-control-change.js'
import { moveControlChange } from '../controls/changes/move-control-change.js'
import { newId } from '../new-id.js'
import { type HeldDecision, lockHeld } from './decide-held-deposit.js'

export interface ReleaseRequest extends HeldDecision {
  /** Time that the request waits for its approvals, in milliseconds. */
  readonly expiryMs: number
}

/**
 * Stores the request with its frozen intent. The deposit stays held until two people other than the requester
 * have approved it.
 *
 * @returns The intent, whose `release` is the request's id.
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` if it is not held, was rejected, or already waits for
 * approvals.
 */
export async function requestRelease(
  tx: Transaction,
  networks: Networks,
  request: ReleaseRequest,
): Promise<DepositReleaseIntent> {
  // The request is locked before the deposit, in the order of an approval.
  await requireNoOpenRequest(tx, request)
  const row = await lockHeld(tx, request)
  const network = findNetwork(networks, row.network)
  const coin = knownCoin(network, row.coin)
  const id = newId('rel')
  const now = Date.now()
  const intent: DepositReleaseIntent = {
    version: 1,
    kind: 'deposit_release',
    merchant: row.merchant_id,
    release: id,
    deposit: row.id,
    epoch: row.epoch,
    network: network.caip2,
    asset: { coin: coin.name, contract: coin.contract, decimals: coin.decimals },
    amount: row.amount.toString(),
    address: row.address,
    user_reference: row.user_reference,
    transaction_hash: row.txid,
    sources: row.sources.map(({ address }) => address),
    reason: request.reason,
    cool_down_seconds: 0,
    initiator: request.by,
    created_at: new Date(now).toISOString(),
    expires_at: new Date(now + request.expiryMs).toISOString(),
  }
  await insertControlChange(tx, { id, intent, actor: request.actor, coolDownMs: 0 })
  return intent
}

/** Returns the path of the request's intent and approvals, under `/api/v1`. */
export function releasePath(id: string): string {
  return `/deposits/releases/${id}`
}

/** Allows one request at a time. It ends an expired request whose workflow has not done so yet. */
async function requireNoOpenRequest(tx: Transaction, { merchantId, id }: ReleaseRequest): Promise<void> {
  const [open] = await tx<DepositReleaseRow[]>`
    SELECT * FROM control_changes
    WHERE kind = 'deposit_release' AND state = 'pending_approval' AND intent ->> 'deposit' = ${id}
      AND merchant_id = ${merchantId}
    FOR UPDATE`
  if (!open) return
  const now = new Date()
  if (open.expires_at <= now) {
    await moveControlChange(tx, open, { to: 'expired', at: now, actor: 'system:controls' })
    return
  }
  throw new KeyturnError('INVALID_STATE', 'The release of this deposit waits for its approvals already', {
    details: { id, path: releasePath(open.id) },
  })
}
