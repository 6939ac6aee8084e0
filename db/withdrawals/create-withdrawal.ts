/** Accepts a withdrawal: every check, the hold, the frozen intent, event and audit in one transaction. */

import { confirmationsUnder } from '../../domain/confirmations.js'
import { KeyturnError } from '../../domain/errors.js'
import { type Intent, intentHash } from '../../domain/intent.js'
import { bindingLimits } from '../../domain/limits.js'
import { formatAmount } from '../../domain/money.js'
import { requiredApprovals } from '../../domain/multisig.js'
import { type Coin, findCoin, type Network, type Networks, nativeCoin } from '../../domain/network.js'
import type { Policy } from '../../domain/policy.js'
import { assessRisk, needsReview } from '../../domain/risk.js'
import type { WithdrawalPriority } from '../../domain/withdrawal-fee.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Transaction } from '../connect.js'
import { postJournal } from '../ledger/post-journal.js'
import { takeLimits } from '../limits/take-limits.js'
import { newId } from '../new-id.js'
import { readPolicy } from '../policy/read-policy.js'
import { readRiskFacts } from '../risk/read-risk-facts.js'
import { type ActiveEntry, findActiveEntry } from '../whitelist/find-active-entry.js'
import { estimateWithdrawal } from './estimate-withdrawal.js'
import { appendStatusEvent } from './move-withdrawal.js'
import { holders, holdJournal } from './withdrawal-journals.js'

/** Bytes of a P2PKH output and of its spending, the costliest of the common address types: 546 at Bitcoin's dust rate of 3. */
const DUST_BYTES = 182
const DEFAULT_DUST_RATE = 3

/** A checked request: address in the network's canonical form, amount in base units. */
export interface NewWithdrawal {
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
  readonly amount: bigint
  readonly toAddress: string
  readonly fromAddressId: string | null
  readonly feePayer: 'sender' | 'recipient'
  readonly priority: WithdrawalPriority
  readonly userReference: string | null
  readonly externalId: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  /** Person's or API key's id, and the audit log's actor. */
  readonly initiator: string
  readonly actor: string
  /** Where it was asked for, ISO 3166-1 alpha-2; null: nobody knows; left out: nothing is configured that could. */
  readonly country?: string | null
  /** How long it may wait until it is signed, in milliseconds. */
  readonly expiryMs: number
}

/**
 * Accepts a withdrawal in the caller's transaction.
 *
 * @returns The new row's id.
 * @throws KeyturnError `RAIL_NOT_ENABLED`, `INVALID_AMOUNT`, `VALIDATION_FAILED` (from_address_id), `NO_SIGNER`,
 * `NOT_WHITELISTED`, `DUPLICATE_EXTERNAL_ID`, `DAILY_LIMIT_EXCEEDED`, `MONTHLY_LIMIT_EXCEEDED`, `INSUFFICIENT_BALANCE`; then
 * nothing is stored.
 */
export async function createWithdrawal(
  tx: Transaction,
  networks: Networks,
  request: NewWithdrawal,
): Promise<string> {
  const { network, coin, amount } = request
  const feeCoin = nativeCoin(network)
  await requireRail(tx, request)
  await requireSigner(tx, request)
  const fromAddress = await requireWallet(tx, request)
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
  const expiresAt = new Date(now.getTime() + request.expiryMs)
  const intent: Intent = {
    version: 1,
    kind: 'withdrawal',
    merchant: request.merchantId,
    withdrawal: id,
    external_id: request.externalId,
    network: network.caip2,
    asset: { coin: coin.name, contract: coin.contract, decimals: coin.decimals },
    outputs: [{ address: request.toAddress, amount: amount.toString() }],
    fee_payer: request.feePayer,
    fee_limit: { coin: feeCoin.name, amount: estimate.feeLimit.toString() },
    initiator: request.initiator,
    created_at: now.toISOString(),
    expires_at: expiresAt.toISOString(),
  }
  const hash = intentHash(intent)
  const requirement = requiredApprovals(policy.multisig_config, { network: network.name, coin, amount })
  const inserted = await tx`
    INSERT INTO withdrawals (
      id, merchant_id, external_id, user_reference, network, coin, amount, to_address, from_address_id, from_address,
      fee_payer, priority, fee_coin, fee_estimate, fee_limit, stage, intent, intent_hash, initiator,
      approval_requirement, risk, review_required, origin_country, whitelist_entry_id, metadata,
      required_confirmations, history, estimated_confirmation_at, expires_at, created_at, updated_at)
    VALUES (
      ${id}, ${request.merchantId}, ${request.externalId}, ${request.userReference}, ${network.name}, ${coin.name},
      ${amount.toString()}, ${request.toAddress}, ${request.fromAddressId}, ${fromAddress}, ${request.feePayer},
      ${request.priority}, ${feeCoin.name}, ${estimate.fee.toString()}, ${estimate.feeLimit.toString()}, 'requested',
      ${tx.json(intent as never)}, ${hash}, ${request.initiator},
      ${tx.json(requirement as never)}, ${tx.json(risk as never)}, ${needsReview(risk, entry !== null)},
      ${request.country ?? null}, ${entry?.id ?? null}, ${tx.json(request.metadata as never)},
      ${confirmationsUnder(policy.confirmation_tiers, network, coin.name, amount)},
      ${tx.json([{ stage: 'requested', status: 'pending', at: now.toISOString(), cause: request.actor }] as never)},
      ${estimate.confirmedAt}, ${expiresAt}, ${now}, ${now})
    ON CONFLICT (merchant_id, external_id) DO NOTHING
    RETURNING id`
  if (inserted.length === 0) throw await duplicate(tx, request)
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
  await hold(tx, {
    ...request,
    id,
    feeLimit: estimate.feeLimit,
    feeCoin,
  })
  await appendStatusEvent(tx, networks, { id, merchant_id: request.merchantId }, null)
  await appendAudit(tx, {
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
  return id
}

async function requireRail(tx: Transaction, { merchantId, network, coin }: NewWithdrawal): Promise<void> {
  const [rail] = await tx`
    SELECT 1 FROM merchant_rails WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name}`
  if (rail) return
  throw new KeyturnError(
    'RAIL_NOT_ENABLED',
    `${coin.name} on ${network.name} is not enabled for this merchant; ask the operator to enable it`,
    { details: { network: network.name, coin: coin.name } },
  )
}

async function requireSigner(tx: Transaction, { merchantId, network }: NewWithdrawal): Promise<void> {
  const [signer] = await tx`
    SELECT 1 FROM key_accounts account JOIN signers signer ON signer.id = account.signer_id
    WHERE account.merchant_id = ${merchantId} AND account.network = ${network.name} AND signer.revoked_at IS NULL LIMIT 1`
  if (signer) return
  throw new KeyturnError(
    'NO_SIGNER',
    `No signer holds keys of ${network.name} for this merchant; enrol one with keyturn-signer init`,
    { details: { network: network.name } },
  )
}

/** The wallet that was asked for: its address, or null where the platform may choose. */
async function requireWallet(tx: Transaction, request: NewWithdrawal): Promise<string | null> {
  if (request.fromAddressId === null) return null
  const [wallet] = await tx<{ address: string }[]>`
    SELECT address FROM addresses
    WHERE id = ${request.fromAddressId} AND merchant_id = ${request.merchantId} AND network = ${request.network.name}
      AND kind IN ('master', 'hot', 'gas')`
  if (wallet) return wallet.address
  const reason = `is not a wallet of yours on ${request.network.name}; GET /wallets lists them`
  throw new KeyturnError('VALIDATION_FAILED', `from_address_id ${reason}`, {
    details: { in: 'body', fields: [{ path: 'from_address_id', reason }] },
  })
}

function requireAmount({ network, coin, amount, feePayer }: NewWithdrawal, limit: bigint): void {
  const relayed =
    network.family === 'utxo'
      ? BigInt(Math.ceil(DUST_BYTES * (network.fees.dustRate ?? DEFAULT_DUST_RATE)))
      : 0n
  const dust = coin.dust < relayed ? relayed : coin.dust
  const least = (dust > 0n ? dust : 1n) + (feePayer === 'recipient' ? limit : 0n)
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

/** The active entry of the destination, which the policy may demand. */
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
    SELECT id FROM withdrawals WHERE merchant_id = ${request.merchantId} AND external_id = ${request.externalId}`
  return new KeyturnError(
    'DUPLICATE_EXTERNAL_ID',
    `external_id "${request.externalId}" was used before and stays unique for ever; choose another, or GET the withdrawal`,
    { details: { external_id: request.externalId, withdrawal_id: known?.id ?? null } },
  )
}

interface Hold extends NewWithdrawal {
  readonly id: string
  readonly feeLimit: bigint
  readonly feeCoin: Coin
}

/** Checks that what is to be held is there, then holds it. The ledger's own check stays the last word on users' money. */
async function hold(tx: Transaction, request: Hold): Promise<void> {
  const terms = {
    id: request.id,
    merchant_id: request.merchantId,
    network: request.network.name,
    coin: request.coin.name,
    amount: request.amount,
    fee_coin: request.feeCoin.name,
    fee_limit: request.feeLimit,
    fee_payer: request.feePayer,
    user_reference: request.userReference,
  }
  const owner = holders(terms)
  const together = owner.fee !== null && terms.coin === terms.fee_coin
  await requireFunds(
    tx,
    request,
    request.coin,
    owner.amount,
    terms.amount + (together ? terms.fee_limit : 0n),
  )
  if (owner.fee !== null && !together) {
    await requireFunds(tx, request, request.feeCoin, owner.fee, terms.fee_limit)
  }
  try {
    await postJournal(tx, holdJournal(terms))
  } catch (error) {
    if (error instanceof KeyturnError && error.code === 'INSUFFICIENT_BALANCE') {
      const { requested, available, coin } = error.details as Record<string, string>
      const known = findCoin(request.network, coin ?? request.coin.name)
      throw insufficient(known, BigInt(requested ?? 0), BigInt(available ?? 0), error)
    }
    throw error
  }
}

/**
 * A user may spend what is available to them. The merchant may spend its own and, as floor, the users' funds that it
 * holds: own + sum of the users' available. Withdrawals of the merchant's own are checked one after the other.
 */
async function requireFunds(
  tx: Transaction,
  request: Hold,
  coin: Coin,
  owner: string,
  needed: bigint,
): Promise<void> {
  if (owner === '') {
    const lock = `own-funds:${request.merchantId}:${request.network.name}:${coin.name}`
    await tx`SELECT pg_advisory_xact_lock(hashtextextended(${lock}, 0))`
  }
  const [row] = await tx<{ available: bigint }[]>`
    SELECT coalesce(-sum(balance), 0)::numeric AS available FROM ledger_accounts
    WHERE merchant_id = ${request.merchantId} AND network = ${request.network.name} AND coin = ${coin.name}
      AND kind = 'available' AND (${owner} = '' OR owner = ${owner})`
  const available = row?.available ?? 0n
  if (available < needed) throw insufficient(coin, needed, available)
}

function insufficient(coin: Coin, requested: bigint, available: bigint, cause?: unknown): KeyturnError {
  return new KeyturnError(
    'INSUFFICIENT_BALANCE',
    'Insufficient balance for withdrawal; the amount and the most that the fee may be are held together',
    {
      details: {
        requested: formatAmount(requested, coin.decimals),
        available: formatAmount(available > 0n ? available : 0n, coin.decimals),
        coin: coin.name,
      },
      ...(cause === undefined ? {} : { cause }),
    },
  )
}
