/** Moves an available amount between two parties of a merchant: journal, row, events and audit in one transaction. */

import { bindingLimits } from '../../../domain/controls/limits.js'
import { duplicateExternalId } from '../../../domain/duplicate-external-id.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Transfer } from '../../../wire/transfer.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { takeLimits } from '../../controls/limits/take-limits.js'
import { readPolicy } from '../../controls/policy/read-policy.js'
import { appendEvents } from '../../events/log/append-events.js'
import { newId } from '../../new-id.js'
import { requireEnabledRail } from '../../payouts/require-rail.js'
import { balanceChanged } from '../balances/balance-changed.js'
import { postJournal } from '../ledger/post-journal.js'
import { insufficient, requireFunds } from './require-funds.js'
import { type NewTransfer, type TransferRow, toTransferView } from './transfer-row.js'

/**
 * Makes a transfer in the caller's transaction. Accounts are locked by the posting alone, in the order of
 * their ids, so transfers in a ring wait for one another and do not deadlock.
 *
 * @throws KeyturnError `SAME_PARTY`, `RAIL_NOT_ENABLED`, `DUPLICATE_EXTERNAL_ID`, `DAILY_LIMIT_EXCEEDED`,
 * `MONTHLY_LIMIT_EXCEEDED`, `INSUFFICIENT_BALANCE`. Then nothing is stored.
 */
export async function createTransfer(tx: Transaction, request: NewTransfer): Promise<Transfer> {
  const { merchantId, network, coin, amount } = request
  if (request.from === request.to) {
    throw new KeyturnError('SAME_PARTY', 'A transfer has two different parties; change one of them', {
      details: { user_reference: request.from },
    })
  }
  await requireEnabledRail(tx, request)
  const row = await insertTransfer(tx, request)
  const { policy } = await readPolicy(tx, merchantId)
  await takeLimits(
    tx,
    {
      id: row.id,
      merchantId,
      network: network.name,
      coin,
      amount,
      userReference: request.from,
      toAddress: null,
      at: row.created_at,
    },
    bindingLimits(policy.limits, {
      network: network.name,
      coin,
      userReference: request.from,
      entry: null,
    }),
  )
  await requireFunds(tx, request)
  const journalId = await post(tx, request, row.id)
  await tx`UPDATE transfers SET journal_id = ${journalId} WHERE id = ${row.id}`
  const view = toTransferView({ ...row, journal_id: journalId })
  const change = {
    merchantId,
    network: network.name,
    coin: coin.name,
    decimals: coin.decimals,
    reserved: 0n,
    subject: row.id,
    transferId: row.id,
  }
  await appendEvents(tx, [
    { merchantId, type: 'transfer.created', subject: row.id, data: { ...view } },
    await balanceChanged(tx, { ...change, party: request.from, available: -amount }),
    await balanceChanged(tx, { ...change, party: request.to, available: amount }),
  ])
  await appendAudit(tx, {
    merchantId,
    actor: request.actor,
    action: 'transfer.created',
    subject: row.id,
    data: { ...view },
  })
  return view
}

async function insertTransfer(tx: Transaction, request: NewTransfer): Promise<TransferRow> {
  const [row] = await tx<TransferRow[]>`
    INSERT INTO transfers (id, merchant_id, external_id, from_user_reference, to_user_reference, network, coin, amount,
                           amount_text, reason, created_at)
    VALUES (${newId('trf')}, ${request.merchantId}, ${request.externalId}, ${request.from}, ${request.to},
            ${request.network.name}, ${request.coin.name}, ${request.amount.toString()}, ${request.amountText},
            ${request.reason}, ${new Date()})
    ON CONFLICT (merchant_id, external_id) DO NOTHING
    RETURNING *`
  if (row) return row
  const [known] = await tx<{ id: string }[]>`
    SELECT id FROM transfers WHERE merchant_id = ${request.merchantId} AND external_id = ${request.externalId}`
  throw duplicateExternalId('transfer', request.externalId, known?.id ?? null)
}

/** Posts the journal. For a user's money the ledger's own check has the last word. */
async function post(tx: Transaction, request: NewTransfer, id: string): Promise<bigint> {
  const asset = { network: request.network.name, coin: request.coin.name, kind: 'available' as const }
  try {
    const { journalId } = await postJournal(tx, {
      merchantId: request.merchantId,
      idempotencyKey: id,
      type: 'transfer',
      reference: id,
      entries: [
        { ...asset, owner: request.from ?? '', amount: request.amount },
        { ...asset, owner: request.to ?? '', amount: -request.amount },
      ],
    })
    return journalId
  } catch (error) {
    if (!(error instanceof KeyturnError) || error.code !== 'INSUFFICIENT_BALANCE') throw error
    const { available } = error.details as { available?: string }
    throw insufficient(request, BigInt(available ?? 0), error)
  }
}
