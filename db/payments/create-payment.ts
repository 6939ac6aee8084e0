/** Creates a payment with its address, history and event. */

import { randomBytes } from 'node:crypto'
import type { Coin, Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount } from '../../domain/money.js'
import { paymentUri } from '../../domain/payments/payment-uri.js'
import type { Quote, Tolerance } from '../../wire/payment.js'
import { appendAudit } from '../audit/append-audit.js'
import { json, type Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { newId } from '../new-id.js'
import { requireEnabledRail } from '../payouts/require-rail.js'
import { allocateAddress } from '../wallets/allocate-address.js'
import type { PaymentRow } from './payment-row.js'
import { paymentEvent } from './payment-view.js'
import type { PaymentCause } from './save-payment.js'

/** Random bytes in a checkout URL. Without it no stranger finds the page. */
const TOKEN_BYTES = 24

export interface PaymentRequest {
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
  readonly userReference: string
  /** Base units. `null` for an open payment. */
  readonly amount: bigint | null
  /** Base units by which the amount may be missed. */
  readonly allowance: bigint
  readonly tolerance: Tolerance | null
  readonly quote: Quote | null
  readonly orderId: string | null
  readonly successUrl: string | null
  readonly failureUrl: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  readonly expiresInSeconds: number
  /** Id of the payment that is issued again. `null` for a first attempt. */
  readonly attemptOf: string | null
  /** Base of the checkout URL, without a slash at its end. */
  readonly publicUrl: string
  readonly cause: PaymentCause
  /** Actor in the audit log. */
  readonly actor: string
}

/**
 * Creates the payment. With an amount it gets a new address, which no other payment ever has; an open one
 * uses the user's own.
 *
 * @throws KeyturnError `INVALID_AMOUNT` below the network's minimum; `INVALID_STATE` if the user has an open
 * payment in this coin; `RAIL_NOT_ENABLED`; and what `allocateAddress` throws.
 */
export async function createPayment(tx: Transaction, request: PaymentRequest): Promise<PaymentRow> {
  const { merchantId, network, coin, userReference, amount } = request
  const minimum = coin.minimum ?? 0n
  if (amount !== null && amount < minimum) {
    const least = formatAmount(minimum, coin.decimals)
    throw new KeyturnError('INVALID_AMOUNT', `The smallest payment is ${least} ${coin.name}; ask for more`, {
      details: { minimum: least, coin: coin.name },
    })
  }
  await requireEnabledRail(tx, request)
  if (amount === null) await refuseSecondOpen(tx, request)
  const { address } = await allocateAddress(tx, {
    merchantId,
    network,
    userReference,
    label: null,
    fresh: amount !== null,
    forPayment: amount !== null,
  })
  const id = newId('pay')
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  const history = (at: string) => [{ status: 'pending', flags: [], at, cause: request.cause }]
  const [clock] = await tx<{ now: Date }[]>`SELECT date_trunc('milliseconds', clock_timestamp()) AS now`
  const now = clock?.now ?? new Date()
  const [stored] = await tx<Omit<PaymentRow, 'address' | 'derivation_path'>[]>`
    INSERT INTO payments (
      id, merchant_id, user_reference, network, coin, decimals, address_id, amount, allowance, tolerance, quote,
      order_id, success_url, failure_url, metadata, payment_uri, checkout_token, checkout_url, status, history, attempt_of,
      created_height, created_at, expires_at, updated_at)
    VALUES (
      ${id}, ${merchantId}, ${userReference}, ${network.name}, ${coin.name}, ${coin.decimals}, ${address.id}, ${amount?.toString() ?? null},
      ${request.allowance.toString()}, ${request.tolerance && json(tx, request.tolerance)}, ${request.quote && json(tx, request.quote)},
      ${request.orderId}, ${request.successUrl}, ${request.failureUrl}, ${json(tx, request.metadata)},
      ${paymentUri(network, coin, address.address, amount)}, ${token}, ${`${request.publicUrl}/checkout/${token}`},
      'pending', ${json(tx, history(now.toISOString()))}, ${request.attemptOf},
      coalesce((SELECT head_height FROM chain_cursors WHERE network = ${network.name}), 0),
      ${now}, ${new Date(now.getTime() + request.expiresInSeconds * 1_000)}, ${now})
    RETURNING *`
  if (!stored) throw new Error('The payment was not stored')
  const row: PaymentRow = {
    ...stored,
    address: address.address,
    derivation_path: address.derivation_path,
  }
  await appendAudit(tx, {
    merchantId,
    actor: request.actor,
    action: 'payment.created',
    subject: id,
    data: {
      network: network.name,
      coin: coin.name,
      amount: amount === null ? null : formatAmount(amount, coin.decimals),
      user_reference: userReference,
      order_id: request.orderId,
      attempt_of: request.attemptOf,
    },
  })
  await appendEvents(tx, [paymentEvent(row, [], null)])
  return row
}

/** Two open payments of a user in one coin could not be distinguished. The lock decides between two requests. */
async function refuseSecondOpen(tx: Transaction, request: PaymentRequest): Promise<void> {
  const { merchantId, userReference, network, coin } = request
  const key = JSON.stringify(['open payment', merchantId, userReference, network.name, coin.name])
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`
  const [open] = await tx<{ id: string }[]>`
    SELECT id FROM payments
    WHERE merchant_id = ${merchantId} AND user_reference = ${userReference} AND network = ${network.name}
      AND coin = ${coin.name} AND amount IS NULL AND ended_at IS NULL AND expires_at > statement_timestamp()
    LIMIT 1`
  if (!open) return
  throw new KeyturnError(
    'INVALID_STATE',
    `This user has the open payment ${open.id} in ${coin.name} on ${network.name}. Use it, cancel it, or wait until it expires`,
    { details: { payment_id: open.id } },
  )
}
