/**
 * Accepts a batch: every check, one hold, the frozen intent, its parts and items, event and audit in one
 * transaction.
 */

import { confirmationsUnder } from '../../../domain/chain/confirmations.js'
import { type Coin, type Network, type Networks, nativeCoin } from '../../../domain/chain/network.js'
import { type Intent, intentHash } from '../../../domain/controls/intent.js'
import { requiredApprovals } from '../../../domain/controls/multisig.js'
import type { Policy } from '../../../domain/controls/policy.js'
import { assessRisk, needsReview } from '../../../domain/controls/risk.js'
import { duplicateExternalId } from '../../../domain/duplicate-external-id.js'
import { KeyturnError } from '../../../domain/errors.js'
import { splitBatch } from '../../../domain/payouts/batch-parts.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import { PRIORITY_LEVEL } from '../../../domain/payouts/withdrawal-fee.js'
import { appendAudit } from '../../audit/append-audit.js'
import { json, type Transaction } from '../../connect.js'
import { readPolicy } from '../../controls/policy/read-policy.js'
import { readRiskFacts } from '../../controls/risk/read-risk-facts.js'
import { newId } from '../../new-id.js'
import { findOwnWallets, ownWalletError } from '../../wallets/find-own-wallets.js'
import { requireRail } from '../require-rail.js'
import { requireSpendableAtOnce } from '../require-spendable-at-once.js'
import { takeHold } from '../take-hold.js'
import { appendBatchEvents } from './append-batch-events.js'
import { estimateBatch } from './estimate-batch.js'
import { type Destinations, findDestinations } from './find-destinations.js'
import { type NewPart, storeParts } from './store-parts.js'
import { takeBatchLimits } from './take-batch-limits.js'

const MINUTE_MS = 60_000

/**
 * One item: the address in the network's canonical form, the amount in base units and as the text that was
 * sent.
 */
export interface NewBatchItem {
  readonly toAddress: string
  readonly amount: bigint
  readonly amountSent: string
}

/** A checked request. */
export interface NewBatch {
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
  /** Items in the order of the request. The same address twice stays two items. */
  readonly items: readonly NewBatchItem[]
  readonly priority: Priority
  readonly userReference: string | null
  readonly externalId: string | null
  /** Id of the person or API key, and the audit log's actor. */
  readonly initiator: string
  readonly actor: string
  /**
   * Country of the request, ISO 3166-1 alpha-2. `null`: unknown. Absent: no source of countries is
   * configured.
   */
  readonly country?: string | null
  /** Whether a screening service is asked about each recipient before its transaction is built. */
  readonly screen?: boolean
  /** How long the batch may wait until it is signed, in milliseconds. */
  readonly expiryMs: number
  /** Most recipients of one UTXO transaction. */
  readonly mostOutputs: number
}

/**
 * Accepts a batch in the caller's transaction: all of it, or nothing.
 *
 * @returns The new row's id.
 * @throws KeyturnError `RAIL_NOT_ENABLED`, `NO_SIGNER`, `INVALID_ADDRESS` (own wallets) and `NOT_WHITELISTED`
 * (details: the index of each), `DUPLICATE_EXTERNAL_ID`, `DAILY_LIMIT_EXCEEDED`, `MONTHLY_LIMIT_EXCEEDED`,
 * `INSUFFICIENT_BALANCE`. Then nothing is stored.
 */
export async function createBatch(tx: Transaction, networks: Networks, request: NewBatch): Promise<string> {
  const { network, coin, items, merchantId } = request
  const feeCoin = nativeCoin(network)
  const signer = await requireRail(tx, request)
  await requireForeignItems(tx, request)
  const now = new Date()
  const { policy } = await readPolicy(tx, merchantId)
  const addresses = items.map((item) => item.toAddress)
  const known = await findDestinations(tx, merchantId, network.name, addresses)
  requireWhitelisted(request, policy, known)
  const risk = assessRisk(await riskFacts(tx, request, known, now), policy.risk)
  const amount = items.reduce((sum, item) => sum + item.amount, 0n)
  const parts = await planParts(tx, request, policy)
  const feeLimit = parts.reduce((sum, part) => sum + part.feeLimit, 0n)
  const id = newId('batch')
  const expiresAt = new Date(now.getTime() + request.expiryMs)
  const intent: Intent = {
    version: 1,
    kind: 'batch',
    merchant: merchantId,
    withdrawal: id,
    signer,
    external_id: request.externalId,
    network: network.caip2,
    asset: { coin: coin.name, contract: coin.contract, decimals: coin.decimals },
    outputs: items.map((item) => ({ address: item.toAddress, amount: item.amount.toString() })),
    fee_payer: 'sender',
    fee_limit: { coin: feeCoin.name, amount: feeLimit.toString() },
    initiator: request.initiator,
    created_at: now.toISOString(),
    expires_at: expiresAt.toISOString(),
  }
  const hash = intentHash(intent)
  const requirement = requiredApprovals(policy.multisig_config, { network: network.name, coin, amount })
  const whitelisted = addresses.every((address) => known.entries.has(address))
  const inserted = await tx`
    INSERT INTO batches (
      id, merchant_id, external_id, user_reference, network, coin, amount, item_count, priority, fee_coin, fee_estimate, fee_limit,
      stage, status, intent, intent_hash, initiator, approval_requirement, risk, review_required, history, expires_at, created_at,
      updated_at)
    VALUES (
      ${id}, ${merchantId}, ${request.externalId}, ${request.userReference}, ${network.name}, ${coin.name},
      ${amount.toString()}, ${items.length}, ${request.priority}, ${feeCoin.name},
      ${parts.reduce((sum, part) => sum + part.fee, 0n).toString()}, ${feeLimit.toString()}, 'requested', 'pending',
      ${json(tx, intent)}, ${hash}, ${request.initiator}, ${json(tx, requirement)},
      ${json(tx, risk)}, ${needsReview(risk, whitelisted)},
      ${json(tx, [{ stage: 'requested', status: 'pending', at: now.toISOString(), cause: request.actor }])},
      ${expiresAt}, ${now}, ${now})
    ON CONFLICT (merchant_id, external_id) DO NOTHING
    RETURNING id`
  if (inserted.length === 0) throw await duplicate(tx, request)
  await takeBatchLimits(tx, { ...request, network: network.name, id, at: now }, policy.limits, known.entries)
  await storeParts(tx, id, parts, {
    sanctioned: known.sanctioned,
    screen: request.screen ?? false,
    confirmedAt: new Date(now.getTime() + PRIORITY_LEVEL[request.priority].minutes[1] * MINUTE_MS),
    cause: request.actor,
  })
  await takeHold(tx, { ...request, id, amount, feeLimit, feePayer: 'sender' })
  const costs = parts.map((part) => part.amount + part.fee).sort((a, b) => (a < b ? 1 : -1))
  await requireSpendableAtOnce(tx, { ...request, fromAddressId: null }, costs[0] ?? 0n)
  await appendBatchEvents(tx, networks, id, { previous: null, changed: [] })
  await appendAudit(tx, {
    merchantId,
    actor: request.actor,
    action: 'batch.requested',
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
  return id
}

/** Splits the batch into transactions, with the fee limit and the required confirmations of each. */
async function planParts(tx: Transaction, request: NewBatch, policy: Policy): Promise<NewPart[]> {
  const { network, coin } = request
  const items = request.items.map((item, index) => ({ ...item, index, address: item.toAddress }))
  const split = splitBatch(network, items, request.mostOutputs)
  const estimates = await estimateBatch(tx, request.merchantId, network, coin, split, request.priority)
  return split.map((items, at) => {
    const amount = items.reduce((sum, item) => sum + item.amount, 0n)
    const { fee, feeLimit } = estimates[at] ?? { fee: 0n, feeLimit: 0n }
    const confirmations = confirmationsUnder(policy.confirmation_tiers, network, coin.name, amount)
    return { id: newId('part'), items, amount, fee, feeLimit, confirmations }
  })
}

/**
 * Returns the facts of the largest item to the least known destination: a batch is as risky as its riskiest
 * item.
 */
async function riskFacts(tx: Transaction, request: NewBatch, known: Destinations, at: Date) {
  const { items } = request
  const largest = items.reduce((most, item) => (item.amount > most.amount ? item : most))
  const whitelisted = items.every((item) => known.entries.has(item.toAddress))
  const facts = await readRiskFacts(tx, {
    ...request,
    network: request.network.name,
    amount: largest.amount,
    toAddress: largest.toAddress,
    whitelisted,
    country: request.country,
    at,
  })
  const destination = { sanctioned: known.sanctioned.size > 0, whitelisted, paidBefore: known.paidBefore }
  return { ...facts, destination }
}

/** Rejects own wallets as destinations. The error lists all of them, in the shape of `checkBatchOutputs`. */
async function requireForeignItems(tx: Transaction, request: NewBatch): Promise<void> {
  const { network, items, merchantId } = request
  const own = await findOwnWallets(
    tx,
    merchantId,
    network,
    items.map((item) => item.toAddress),
  )
  if (own.size === 0) return
  const outputs = items.flatMap(({ toAddress, amountSent }, index) => {
    const kind = own.get(toAddress)
    if (kind === undefined) return []
    const { code, message } = ownWalletError(network, toAddress, kind)
    return [{ index, code, message, to_address: toAddress, amount: amountSent }]
  })
  throw new KeyturnError(
    'INVALID_ADDRESS',
    'Some outputs go to your own wallets, so nothing was accepted; leave out what details.outputs lists and send all again',
    { details: { network: network.name, coin: request.coin.name, outputs } },
  )
}

function requireWhitelisted(request: NewBatch, policy: Policy, { entries }: Destinations): void {
  if (policy.whitelist.mode === 'off') return
  const outputs = request.items.flatMap(({ toAddress }, index) =>
    entries.has(toAddress) ? [] : [{ index, code: 'NOT_WHITELISTED', address: toAddress }],
  )
  if (outputs.length === 0) return
  throw new KeyturnError(
    'NOT_WHITELISTED',
    'Your policy lets withdrawals go to whitelisted addresses only; add these with POST /whitelist/addresses and have them approved',
    { details: { network: request.network.name, outputs } },
  )
}

async function duplicate(tx: Transaction, request: NewBatch): Promise<KeyturnError> {
  const [known] = await tx<{ id: string }[]>`
    SELECT id FROM batches WHERE merchant_id = ${request.merchantId} AND external_id = ${request.externalId}`
  return duplicateExternalId('batch', request.externalId, known?.id ?? null)
}
