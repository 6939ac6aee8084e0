/** Accepts a withdrawal: every check, the hold, the frozen intent, event and audit in one transaction. */

import { confirmationsUnder } from '../../../domain/chain/confirmations.js'
import { type Coin, type Network, type Networks, nativeCoin } from '../../../domain/chain/network.js'
import { type Intent, intentHash } from '../../../domain/controls/intent.js'
import { bindingLimits } from '../../../domain/controls/limits.js'
import { requiredApprovals } from '../../../domain/controls/multisig.js'
import type { Policy } from '../../../domain/controls/policy.js'
import { assessRisk, needsReview } from '../../../domain/controls/risk.js'
import { duplicateExternalId } from '../../../domain/duplicate-external-id.js'
import { KeyturnError } from '../../../domain/errors.js'
import { formatAmount } from '../../../domain/money.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import type { Withdrawal } from '../../../wire/withdrawal.js'
import { insertAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import { takeLimits } from '../../controls/limits/take-limits.js'
import { readPolicy } from '../../controls/policy/read-policy.js'
import { readRiskFacts } from '../../controls/risk/read-risk-facts.js'
import { type ActiveEntry, findActiveEntry } from '../../controls/whitelist/find-active-entry.js'
import { newId } from '../../new-id.js'
import { requireForeign } from '../../wallets/find-own-wallets.js'
import { leastAmount } from '../least-amount.js'
import { appendStatusEvent } from '../move-payout.js'
import type { PayoutRow } from '../payout-row.js'
import { requireRail } from '../require-rail.js'
import { requireSpendableAtOnce } from '../require-spendable-at-once.js'
import { requireWallet } from '../require-wallet.js'
import { takeHold } from '../take-hold.js'
import { estimateWithdrawal } from './estimate-withdrawal.js'
import { type WithdrawalViewRow, withdrawalViewQuery } from './read-withdrawal-view.js'

/** A checked request: the address in the network's canonical form, the amount in base units. */
export interface NewWithdrawal {
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
  readonly amount: bigint
  /** Amount as it was sent, in whole coins. Answers and events repeat it. */
  readonly amountText?: string
  readonly toAddress: string
  readonly fromAddressId: string | null
  readonly feePayer: 'sender' | 'recipient'
  readonly priority: Priority
  readonly userReference: string | null
  readonly externalId: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  /** Id of the person or API key, and the audit log's actor. */
  readonly initiator: string
  /** Others who shaped the request. None of them may approve it. */
  readonly coInitiators?: readonly string[]
  readonly actor: string
  /**
   * Country of the request, ISO 3166-1 alpha-2. `null`: unknown. Absent: no source of countries is
   * configured.
   */
  readonly country?: string | null
  /** How long the withdrawal may wait until it is signed, in milliseconds. */
  readonly expiryMs: number
  /** Whether the screening service is asked about the destination before anyone may approve. */
  readonly screen?: boolean
  /** Withdrawal that failed and that this one retries. */
  readonly retryOf?: string
  /** Exception that it refunds. */
  readonly exceptionId?: string
}

/**
 * Accepts a withdrawal in the caller's transaction.
 *
 * @returns The new withdrawal as the API shows it, and its row.
 * @throws KeyturnError `RAIL_NOT_ENABLED`, `INVALID_ADDRESS` (an own wallet), `INVALID_AMOUNT`,
 * `VALIDATION_FAILED` (from_address_id), `NO_SIGNER`, `NOT_WHITELISTED`, `DUPLICATE_EXTERNAL_ID`,
 * `DAILY_LIMIT_EXCEEDED`, `MONTHLY_LIMIT_EXCEEDED`, `INSUFFICIENT_BALANCE`, `INVALID_STATE` (small outputs
 * first). Then nothing is stored.
 */
export async function createWithdrawal(
  tx: Transaction,
  networks: Networks,
  request: NewWithdrawal,
): Promise<{ readonly view: Withdrawal; readonly row: PayoutRow }> {
  const { network, coin, amount } = request
  const feeCoin = nativeCoin(network)
  const signer = await requireRail(tx, request)
  await requireForeign(tx, request.merchantId, network, request.toAddress)
  const fromAddress = await requireWallet(tx, request.merchantId, network, request.fromAddressId)
  const now = new Date()
  const estimate = await estimateWithdrawal(
    tx,
    request.merchantId,
    network,
    coin,
    amount,
    request.priority,
    now,
  )
  requireAmount(request, estimate.feeLimit)
  const { policy } = await readPolicy(tx, request.merchantId)
  const entry = await requireWhitelisted(tx, request, policy)
  const risk = assessRisk(
    await readRiskFacts(tx, {
      ...request,
      network: network.name,
      whitelisted: entry !== null,
      country: request.country,
      at: now,
    }),
    policy.risk,
  )
  const id = newId('withdrawal')
  const others = [...new Set(request.coInitiators)].filter((each) => each !== request.initiator).sort()
  const expiresAt = new Date(now.getTime() + request.expiryMs)
  const intent: Intent = {
    version: 1,
    kind: 'withdrawal',
    merchant: request.merchantId,
    withdrawal: id,
    signer,
    external_id: request.externalId,
    network: network.caip2,
    asset: { coin: coin.name, contract: coin.contract, decimals: coin.decimals },
    outputs: [{ address: request.toAddress, amount: amount.toString() }],
    fee_payer: request.feePayer,
    fee_limit: { coin: feeCoin.name, amount: estimate.feeLimit.toString() },
    initiator: request.initiator,
    ...(others.length === 0 ? {} : { co_initiators: others }),
    created_at: now.toISOString(),
    expires_at: expiresAt.toISOString(),
  }
  const hash = intentHash(intent)
  const requirement = requiredApprovals(policy.multisig_config, { network: network.name, coin, amount })
  const audit = insertAudit(tx, {
    merchantId: request.merchantId,
    actor: request.actor,
    action: 'withdrawal.requested',
    subject: id,
    data: {
      intent,
      intent_hash: hash,
      user_reference: request.userReference,
      priority: request.priority,
      approval_requirement: requirement,
      risk,
    },
  })
  const insert = tx`
    INSERT INTO payouts (
      id, merchant_id, external_id, user_reference, network, coin, amount, amount_text, to_address, from_address_id, from_address,
      fee_payer, priority, fee_coin, fee_estimate, fee_limit, stage, intent, intent_hash, initiator, co_initiators,
      approval_requirement, risk, review_required, origin_country, whitelist_entry_id, metadata, screening, retry_of,
      exception_id, required_confirmations, history, estimated_confirmation_at, expires_at, created_at, updated_at)
    VALUES (
      ${id}, ${request.merchantId}, ${request.externalId}, ${request.userReference}, ${network.name}, ${coin.name},
      ${amount.toString()}, ${request.amountText ?? null}, ${request.toAddress}, ${request.fromAddressId}, ${fromAddress},
      ${request.feePayer}, ${request.priority}, ${feeCoin.name}, ${estimate.fee.toString()}, ${estimate.feeLimit.toString()}, 'requested',
      ${json(tx, intent)}, ${hash}, ${request.initiator}, ${others},
      ${json(tx, requirement)}, ${json(tx, risk)}, ${needsReview(risk, entry !== null)},
      ${request.country ?? null}, ${entry?.id ?? null}, ${json(tx, request.metadata)},
      ${request.screen ? tx.json({ state: 'pending' }) : null}, ${request.retryOf ?? null},
      ${request.exceptionId ?? null},
      ${confirmationsUnder(policy.confirmation_tiers, network, coin.name, amount)},
      ${json(tx, [{ stage: 'requested', status: 'pending', at: now.toISOString(), cause: request.actor }])},
      ${estimate.confirmedAt}, ${expiresAt}, ${now}, ${now})
    ON CONFLICT (merchant_id, external_id) DO NOTHING
    RETURNING *`
  const [row] = await tx<WithdrawalViewRow[]>`
    WITH audit AS (${audit}), inserted AS (${insert}) ${withdrawalViewQuery(tx, tx`inserted`)}`
  if (!row) throw await duplicate(tx, request)
  await takeLimits(
    tx,
    { ...request, network: network.name, id, at: now },
    bindingLimits(policy.limits, {
      network: network.name,
      coin,
      userReference: request.userReference,
      entry,
    }),
  )
  await takeHold(tx, { ...request, id, feeLimit: estimate.feeLimit })
  await requireSpendableAtOnce(tx, request, amount + (request.feePayer === 'sender' ? estimate.fee : 0n))
  return { view: await appendStatusEvent(tx, networks, row, null), row }
}

function requireAmount({ network, coin, amount, feePayer }: NewWithdrawal, limit: bigint): void {
  const least = leastAmount(network, coin) + (feePayer === 'recipient' ? limit : 0n)
  if (amount >= least) return
  throw new KeyturnError(
    'INVALID_AMOUNT',
    `The amount is too small; send at least ${formatAmount(least, coin.decimals)} ${coin.name}`,
    {
      details: {
        amount: formatAmount(amount, coin.decimals),
        minimum: formatAmount(least, coin.decimals),
        coin: coin.name,
      },
    },
  )
}

/** Returns the active whitelist entry of the destination, which the policy may require. */
async function requireWhitelisted(
  tx: Transaction,
  { merchantId, network, toAddress }: NewWithdrawal,
  policy: Policy,
): Promise<ActiveEntry | null> {
  const entry = await findActiveEntry(tx, merchantId, network.name, toAddress)
  if (entry || policy.whitelist.mode === 'off') return entry
  throw new KeyturnError(
    'NOT_WHITELISTED',
    'Your policy lets withdrawals go to whitelisted addresses only; add this one with POST /whitelist/addresses and have it approved',
    { details: { address: toAddress, network: network.name } },
  )
}

async function duplicate(tx: Transaction, request: NewWithdrawal): Promise<KeyturnError> {
  const [known] = await tx<{ id: string }[]>`
    SELECT id FROM payouts WHERE merchant_id = ${request.merchantId} AND external_id = ${request.externalId}`
  return duplicateExternalId('withdrawal', request.externalId, known?.id ?? null)
}
