/** Withdrawals: create, read, cancel, estimate (seed 002; contract section 3). */

import { createRoute, z } from '@hono/zod-openapi'
import type { Sql } from '../../db/connect.js'
import { cancelWithdrawal } from '../../db/withdrawals/cancel-withdrawal.js'
import { createWithdrawal } from '../../db/withdrawals/create-withdrawal.js'
import { estimateWithdrawal } from '../../db/withdrawals/estimate-withdrawal.js'
import { listWithdrawals } from '../../db/withdrawals/list-withdrawals.js'
import {
  readWithdrawalView,
  toWithdrawalView,
  type WithdrawalView,
} from '../../db/withdrawals/read-withdrawal-view.js'
import { requestCancellation } from '../../db/withdrawals/request-cancellation.js'
import { requestSpeedUp } from '../../db/withdrawals/request-speed-up.js'
import { reviewWithdrawal } from '../../db/withdrawals/review-withdrawal.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import { findCoin, findNetwork, nativeCoin } from '../../domain/network.js'
import { RISK_FACTORS } from '../../domain/policy.js'
import { PRIORITIES, PRIORITY_LEVEL } from '../../domain/withdrawal-fee.js'
import { WITHDRAWAL_STAGES } from '../../domain/withdrawal-stage.js'
import { answer, listAnswer, success, successPage } from '../answer.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { keepAnswer } from '../middleware/idempotency.js'
import { mutable } from '../mutable.js'
import { notFound } from '../not-found.js'
import { pagingQuery, toPage, toSlice } from '../paging.js'
import { secured } from '../secured.js'
import { startWithdrawalSoon } from '../start-withdrawal-soon.js'
import { amountSchema, newWithdrawal, originOf, requireSenderPays } from '../withdrawal-request.js'

/** The seven of the guide. */
export const STATUSES = [
  'pending',
  'processing',
  'broadcasting',
  'confirming',
  'confirmed',
  'failed',
  'cancelled',
] as const

const amount = amountSchema
const priority = z.enum(PRIORITIES)

/** Who has to agree, and who has: of a withdrawal and of a batch. */
export const controls = {
  approvals: z.array(
    z.object({
      id: z.string(),
      approver_id: z.string(),
      person_id: z.string(),
      decision: z.enum(['approve', 'reject']),
      intent_hash: z.string(),
      signed_at: z.string(),
      signature: z.string(),
      reason: z.string().nullable(),
      created_at: z.string(),
    }),
  ),
  required_approvals: z.int(),
  required_signers: z.array(z.string()).openapi({
    description: "Ids of the approvers whose approval counts; empty where every approver's does.",
  }),
  required_roles: z
    .array(z.string())
    .openapi({ description: 'Roles of which at least one must be among those who approve.' }),
  intent_hash: z.string(),
  risk: z
    .object({
      score: z.number().openapi({ description: '0 to 100.' }),
      threshold: z.number().openapi({ description: 'Above it a person reviews, unless whitelisted.' }),
      sanctioned: z.boolean(),
      factors: z.array(
        z.object({ name: z.enum(RISK_FACTORS), score: z.number(), weight: z.number(), reason: z.string() }),
      ),
    })
    .nullable(),
  review: z
    .object({
      required: z.boolean(),
      decision: z.enum(['approve', 'reject']).optional(),
      reviewer: z.string().optional(),
      reason: z.string().optional(),
      at: z.string().optional(),
    })
    .nullable()
    .openapi({ description: 'Null where nobody has to look at it before the approvals.' }),
}

export const withdrawalView = z
  .object({
    id: z.string().openapi({ example: 'withdrawal_0193…' }),
    status: z.enum(STATUSES),
    stage: z.enum(WITHDRAWAL_STAGES).openapi({ description: 'The fine state behind `status`.' }),
    network: z.string(),
    coin: z.string(),
    amount,
    fee: z
      .string()
      .openapi({ description: 'In whole `fee_coin`: the estimate until the real one is known.' }),
    fee_coin: z.string(),
    fee_limit: z.string().openapi({ description: 'The most that the fee may be; held until it is known.' }),
    fee_payer: z.enum(['sender', 'recipient']),
    priority,
    to_address: z.string(),
    from_address: z.string().nullable(),
    user_reference: z.string().nullable(),
    external_id: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
    ...controls,
    failure: z.object({ code: z.string(), message: z.string() }).nullable(),
    waiting: z
      .object({ code: z.string(), message: z.string(), since: z.string() })
      .nullable()
      .openapi({ description: 'Why nothing moves at the moment.' }),
    speed_up: z
      .object({
        priority,
        max_fee: z.string().nullable(),
        requested_by: z.string(),
        requested_at: z.string(),
      })
      .nullable()
      .openapi({ description: 'A dearer transaction that was asked for and is not at the signer yet.' }),
    cancellation: z
      .object({ requested_by: z.string(), requested_at: z.string(), reason: z.string() })
      .nullable()
      .openapi({ description: 'A transaction that pays nobody shall take the place of the payment.' }),
    attempts: z
      .array(
        z.object({
          number: z.int(),
          purpose: z.enum(['pay', 'cancel']),
          cause: z.enum(['first', 'speed_up', 'lagging', 'cancel']),
          priority,
          state: z.enum(['built', 'signed', 'broadcast', 'mined', 'final', 'replaced', 'abandoned']),
          transaction_hash: z.string().nullable(),
          max_fee: z.string(),
          fee: z.string().nullable(),
          created_at: z.string(),
          broadcast_at: z.string().nullable(),
        }),
      )
      .openapi({
        description:
          'The transactions that were made for it, newest first. They exclude each other: one is mined at most.',
      }),
    transaction_hash: z
      .string()
      .nullable()
      .openapi({ description: 'Of the attempt that is in the chain, else of the one that nodes took last.' }),
    investigation: z.object({ reason: z.string(), by: z.string(), at: z.string() }).nullable().openapi({
      description: 'While it stands, nothing is built or handed to a signer.',
    }),
    screening: z
      .object({
        state: z.enum(['pending', 'approved', 'rejected', 'review']),
        reason: z.string().nullable().optional(),
        reference: z.string().nullable().optional(),
        at: z.string().optional(),
      })
      .nullable()
      .openapi({
        description: 'What the screening service says of the destination; null: none was to be asked.',
      }),
    retry_of: z
      .string()
      .nullable()
      .openapi({ description: 'The one that failed and that this one asks for again.' }),
    retried_by: z.string().nullable(),
    confirmations: z.int(),
    required_confirmations: z.int(),
    block_number: z.int().nullable(),
    history: z.array(
      z.object({ stage: z.enum(WITHDRAWAL_STAGES), status: z.string(), at: z.string(), cause: z.string() }),
    ),
    estimated_confirmation_time: z.string(),
    expires_at: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    confirmed_at: z.string().nullable(),
  })
  .openapi('Withdrawal')

const params = z.object({ id: z.string().max(255) })

const create = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals',
  summary: 'Asks for a withdrawal; two people must approve it before the signer signs',
  tags: ['Withdrawals'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: newWithdrawal,
        },
      },
    },
  },
  responses: { 201: answer(withdrawalView, 'Accepted; the amount and the fee limit are held') },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawals/{id}',
  summary: 'One withdrawal',
  tags: ['Withdrawals'],
  request: { params },
  responses: { 200: answer(withdrawalView) },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/withdrawals',
  summary: 'Withdrawals, newest first',
  tags: ['Withdrawals'],
  request: {
    query: z.strictObject({
      ...pagingQuery,
      status: z.enum(STATUSES).optional(),
      network: z.string().optional(),
      coin: z.string().optional(),
      user_reference: z.string().optional(),
      external_id: z.string().optional(),
      from_date: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional(),
      to_date: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional(),
    }),
  },
  responses: { 200: listAnswer(withdrawalView) },
})

const cancel = createRoute({
  ...secured('withdrawals'),
  method: 'delete',
  path: '/withdrawals/{id}',
  summary: 'Cancels a withdrawal that no signer has yet; the hold is released',
  tags: ['Withdrawals'],
  request: { params },
  responses: { 200: answer(withdrawalView, 'Cancelled') },
})

const review = createRoute({
  ...secured('admin', 'approvals'),
  method: 'post',
  path: '/withdrawals/{id}/review',
  summary: 'Decides about a withdrawal that looked risky; approvals are needed all the same',
  description: 'By a person with the scope `admin` or the role `reviewer`, who did not ask for it.',
  tags: ['Withdrawals'],
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            decision: z.enum(['approve', 'reject']),
            reason: z.string().min(1).max(1_000),
          }),
        },
      },
    },
  },
  responses: { 200: answer(withdrawalView, 'Decided') },
})

const estimateView = z
  .object({
    network: z.string(),
    coin: z.string(),
    amount,
    fee_coin: z.string(),
    estimates: z.array(
      z.object({
        priority,
        description: z.string().openapi({ example: 'Standard rate' }),
        fee_multiplier: z.string().openapi({ example: '1.0' }),
        fee: z.string(),
        fee_limit: z.string(),
        confirmation_time: z.string().openapi({ example: '10-30 minutes' }),
        estimated_confirmation_time: z.string(),
      }),
    ),
  })
  .openapi('WithdrawalEstimate')

const estimate = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals/estimate',
  summary: 'The fee for every priority',
  tags: ['Withdrawals'],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({
            network: z.string().min(1).max(31),
            coin: z.string().min(1).max(31),
            amount,
            to_address: z.string().min(1).max(200).optional(),
            from_address_id: z.string().min(1).max(255).optional(),
            priority: priority.optional(),
          }),
        },
      },
    },
  },
  responses: { 200: answer(estimateView) },
})

const speedUp = createRoute({
  ...secured('withdrawals'),
  method: 'post',
  path: '/withdrawals/{id}/speed-up',
  summary: 'Replaces the transaction that waits for a block by a dearer one',
  description:
    'Within the fee limit that was approved, so no new approval is needed. Same nonce (EVM) or same inputs and recipients (BIP-125).',
  tags: ['Withdrawals'],
  request: {
    params,
    body: {
      required: false,
      content: {
        'application/json': {
          schema: z.strictObject({
            priority: priority
              .optional()
              .openapi({ description: 'Default: the next above that of the newest attempt.' }),
            max_fee: amount.optional().openapi({
              description: 'The most that the fee may be, in whole `fee_coin`; default the fee limit.',
            }),
          }),
        },
      },
    },
  },
  responses: { 200: answer(withdrawalView, 'Accepted; `attempts` shows what comes of it') },
})

const cancelTransaction = createRoute({
  ...secured('admin', 'approvals'),
  method: 'post',
  path: '/withdrawals/{id}/cancel-transaction',
  summary: 'Puts a transaction that pays nobody in the place of one that waits for a block',
  description:
    'By a person with the scope `admin` or the role `reviewer`, who did not ask for the withdrawal. Whichever is mined decides: `cancelled` with the hold released and the fee on the merchant’s own account, or `confirmed`.',
  tags: ['Withdrawals'],
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/json': { schema: z.strictObject({ reason: z.string().min(1).max(1_000) }) },
      },
    },
  },
  responses: { 200: answer(withdrawalView, 'Decided; `attempts` shows what comes of it') },
})

/** Registers `/withdrawals`. */
export function registerWithdrawalRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(create, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const coin = findCoin(network, body.coin)
    requireSenderPays(body.fee_payer, coin)
    const to = parseAddress(network, body.to_address)
    const units = positive(parseAmount(body.amount, coin.decimals))
    const { view, kept } = await sql.begin(async (tx) => {
      const id = await createWithdrawal(tx, networks, {
        merchantId: c.get('merchantId'),
        network,
        coin,
        amount: units,
        amountText: body.amount,
        toAddress: to.address,
        fromAddressId: body.from_address_id ?? null,
        feePayer: body.fee_payer,
        priority: body.priority,
        userReference: body.user_reference ?? null,
        externalId: body.external_id ?? null,
        metadata: body.metadata,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        ...originOf(dependencies, c.get('clientIp')),
        expiryMs: environment.KEYTURN_WITHDRAWAL_EXPIRY,
        screen: environment.KEYTURN_WITHDRAWAL_SCREENING_URL !== undefined,
      })
      const view = await readWithdrawalView(tx, networks, id)
      if (!view) throw new Error('The withdrawal was not stored')
      return { view, kept: await keepAnswer(c, tx, 201, success(view)) }
    })
    startWithdrawalSoon(dependencies, view.id)
    return c.json(mutable(kept), 201)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listWithdrawals(
      sql,
      c.get('merchantId'),
      {
        status: query.status,
        network: query.network,
        coin: query.coin,
        userReference: query.user_reference,
        externalId: query.external_id,
        from: query.from_date === undefined ? undefined : new Date(query.from_date),
        to: query.to_date === undefined ? undefined : endOf(query.to_date),
      },
      toSlice(query),
    )
    const page = toPage(
      query,
      rows,
      (row) => toWithdrawalView(networks, row),
      (row) => row.id,
    )
    return c.json(mutable(successPage(page)), 200)
  })

  app.openapi(get, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(mutable(success(await viewOf(sql, dependencies, c.get('merchantId'), id))), 200)
  })

  app.openapi(cancel, async (c) => {
    const { id } = c.req.valid('param')
    const actor = c.get('actor')
    await cancelWithdrawal(sql, networks, { merchantId: c.get('merchantId'), id, actor })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('cancel', { by: actor }))
    return c.json(mutable(success(await viewOf(sql, dependencies, c.get('merchantId'), id))), 200)
  })

  app.openapi(review, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    const kept = await sql.begin(async (tx) => {
      await reviewWithdrawal(tx, networks, {
        merchantId,
        id,
        personId: c.get('personId'),
        admin: c.get('scopes').includes('admin'),
        ...c.req.valid('json'),
        actor,
      })
      const view = await readWithdrawalView(tx, networks, id, merchantId)
      if (!view) throw notFound('withdrawal', id)
      return keepAnswer(c, tx, 200, success(view))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('reviewed', { by: actor }))
    return c.json(mutable(kept), 200)
  })

  app.openapi(speedUp, async (c) => {
    const { id } = c.req.valid('param')
    const body = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    const kept = await sql.begin(async (tx) => {
      const { priority = null, max_fee: maxFee = null } = body
      await requestSpeedUp(tx, networks, { merchantId, id, priority, maxFee, actor })
      const view = await readWithdrawalView(tx, networks, id, merchantId)
      if (!view) throw notFound('withdrawal', id)
      return keepAnswer(c, tx, 200, success(view))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('replace', { by: actor }))
    return c.json(mutable(kept), 200)
  })

  app.openapi(cancelTransaction, async (c) => {
    const { id } = c.req.valid('param')
    const { reason } = c.req.valid('json')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    const kept = await sql.begin(async (tx) => {
      await requestCancellation(tx, networks, {
        merchantId,
        id,
        personId: c.get('personId'),
        admin: c.get('scopes').includes('admin'),
        reason,
        actor,
      })
      const view = await readWithdrawalView(tx, networks, id, merchantId)
      if (!view) throw notFound('withdrawal', id)
      return keepAnswer(c, tx, 200, success(view))
    })
    startWithdrawalSoon(dependencies, id, (handle) => handle.signal('replace', { by: actor }))
    return c.json(mutable(kept), 200)
  })

  app.openapi(estimate, async (c) => {
    const body = c.req.valid('json')
    const network = findNetwork(networks, body.network)
    const coin = findCoin(network, body.coin)
    if (body.to_address !== undefined) parseAddress(network, body.to_address)
    const units = positive(parseAmount(body.amount, coin.decimals))
    const feeCoin = nativeCoin(network)
    const now = new Date()
    const estimates = []
    for (const each of PRIORITIES) {
      const level = PRIORITY_LEVEL[each]
      const estimated = await estimateWithdrawal(sql, c.get('merchantId'), network, coin, units, each, now)
      estimates.push({
        priority: each,
        description: level.description,
        fee_multiplier: (Number(level.percent) / 100).toFixed(1),
        fee: formatAmount(estimated.fee, feeCoin.decimals),
        fee_limit: formatAmount(estimated.feeLimit, feeCoin.decimals),
        confirmation_time: `${level.minutes[0]}-${level.minutes[1]} minutes`,
        estimated_confirmation_time: estimated.confirmedAt.toISOString(),
      })
    }
    const view = {
      network: network.name,
      coin: coin.name,
      amount: body.amount,
      fee_coin: feeCoin.name,
      estimates,
    }
    return c.json(success(view), 200)
  })
}

async function viewOf(
  sql: Sql,
  { networks }: ApiDependencies,
  merchantId: string,
  id: string,
): Promise<WithdrawalView> {
  const view = await readWithdrawalView(sql, networks, id, merchantId)
  if (!view) throw notFound('withdrawal', id)
  return view
}

function positive(units: bigint): bigint {
  if (units > 0n) return units
  throw new KeyturnError('INVALID_AMOUNT', 'The amount must be more than 0')
}

/** A date alone means the whole day. */
function endOf(date: string): Date {
  return date.length === 10 ? new Date(`${date}T23:59:59.999Z`) : new Date(date)
}
