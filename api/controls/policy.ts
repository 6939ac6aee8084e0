/** The merchant's policy, and the changes of it that two people must approve (contract section 3). */

import { createRoute, z } from '@hono/zod-openapi'
import { inTransaction, type Queryable } from '../../db/connect.js'
import { changeNotFound } from '../../db/controls/changes/find-control-change.js'
import { revokeControlChange } from '../../db/controls/changes/revoke-control-change.js'
import { createPolicyChange } from '../../db/controls/policy/create-policy-change.js'
import {
  listPolicyChanges,
  type PolicyChangeView,
  toPolicyChangeView,
} from '../../db/controls/policy/policy-change-view.js'
import { readPolicy } from '../../db/controls/policy/read-policy.js'
import { members } from '../../db/members.js'
import { findCoin, findNetwork, type Networks } from '../../domain/chain/network.js'
import { CONTROL_CHANGE_STATES, OPEN_CONTROL_CHANGES } from '../../domain/controls/control-change.js'
import type { PolicyUpdate } from '../../domain/controls/policy.js'
import { plainAmount } from '../../domain/controls/policy-change.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, listAnswer, success, successPage } from '../http/answer.js'
import { mutable } from '../http/mutable.js'
import { pagingQuery, toPage, toSlice } from '../http/paging.js'
import { secured } from '../http/secured.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'

/** More would make a policy that nobody reads. */
const MOST_ROWS = 500
const MOST_CONFIRMATIONS = 10_000

const amount = z
  .string()
  .regex(/^(0|[1-9]\d{0,40})(\.\d{1,36})?$/, 'a decimal amount in whole coins, for example "5000.00"')
  .openapi({ example: '5000.00' })
const name = z.string().min(1).max(31)
const coin = { network: name.openapi({ example: 'ethereum' }), coin: name.openapi({ example: 'usdt' }) }
const limits = z
  .array(
    z.strictObject({
      ...coin,
      daily: amount.nullable().default(null),
      monthly: amount.nullable().default(null),
    }),
  )
  .max(MOST_ROWS)
const weight = z.number().min(0).max(1)
const multisig = z
  .strictObject({
    enabled: z.boolean(),
    required_signatures: z.int().min(2).max(100),
    total_signers: z.int().min(0).max(100),
    threshold_amount: amount.openapi({
      description: 'In whole coins of whichever coin is withdrawn; above it `required_signatures` holds.',
    }),
    threshold_amounts: z
      .array(z.strictObject({ ...coin, amount }))
      .max(MOST_ROWS)
      .default([])
      .openapi({ description: 'Instead of `threshold_amount` for the coins named.' }),
    signers: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(255).openapi({ description: "Id of the approver's registration." }),
          public_key: z
            .string()
            .min(1)
            .max(1_000)
            .openapi({ description: 'The registered Ed25519 key: base64, or hex with 0x.' }),
          role: z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/),
        }),
      )
      .max(100)
      .default([])
      .openapi({ description: "Only they count above the threshold; none: every approver's approval does." }),
    required_roles: z.array(z.string().max(63)).max(20).default([]),
  })
  .superRefine((config, context) => {
    const problem = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const { signers, total_signers, required_signatures, required_roles } = config
    if (new Set(signers.map((signer) => signer.id)).size < signers.length)
      problem('signers', 'names one twice')
    if (signers.length > 0 && total_signers !== signers.length)
      problem('total_signers', 'must be the number of signers')
    if (config.enabled && total_signers > 0 && required_signatures > total_signers)
      problem('required_signatures', 'must not be more than total_signers')
    if (!required_roles.every((role) => signers.some((signer) => signer.role === role)))
      problem('required_roles', 'must be roles of signers')
    if (required_roles.length > required_signatures)
      problem('required_roles', 'must not be more than required_signatures')
  })
const tiers = z
  .array(z.strictObject({ ...coin, from: amount, confirmations: z.int().min(1).max(MOST_CONFIRMATIONS) }))
  .max(MOST_ROWS)
const riskParts = {
  threshold: z.number().min(0).max(100).openapi({ description: 'Higher scores are reviewed by a person.' }),
  weights: z.strictObject({
    amount: weight,
    destination: weight,
    frequency: weight,
    geography: weight,
    behaviour: weight,
  }),
  high_risk_countries: z.array(z.string().regex(/^[A-Z]{2}$/, 'ISO 3166-1 alpha-2')).max(300),
}
const parts = {
  limits: z.strictObject({ merchant: limits, user: limits }),
  multisig_config: multisig,
  confirmation_tiers: tiers.openapi({
    description: "Adds to the network's own confirmations: the highest number that matches holds.",
  }),
  risk: z.strictObject(riskParts),
  whitelist: z.strictObject({ mode: z.enum(['off', 'required']) }),
  held_deposits: z.strictObject({
    release_approvals: z.union([z.literal(1), z.literal(2)]).openapi({
      description: 'With 2, two people who did not ask approve the release of a deposit that was set aside.',
    }),
  }),
}
const policyBody = z
  .strictObject({
    ...parts,
    limits: parts.limits.partial(),
    risk: z.strictObject({ ...riskParts, weights: riskParts.weights.partial() }).partial(),
  })
  .partial()
  .openapi('PolicyUpdate', { description: 'A part that is left out stays as it is.' })

const policyView = z
  .object({
    version: z.int().openapi({ description: '0 until the first change holds.' }),
    effective_at: z.string().nullable(),
    ...parts,
    pending_changes: z
      .array(z.string())
      .openapi({ description: 'Ids of changes that do not hold entirely yet.' }),
  })
  .openapi('Policy')

const changeView = z
  .object({
    id: z.string(),
    state: z.enum(CONTROL_CHANGE_STATES),
    changes: z.array(
      z.object({
        field: z.string(),
        from: z.unknown(),
        to: z.unknown(),
        effect: z.enum(['tightening', 'loosening']).openapi({
          description: 'Tightening holds as soon as it is approved, loosening after the cool-down.',
        }),
      }),
    ),
    base_version: z.int(),
    superseded: z.array(z.string()).openapi({
      description:
        'Fields that stayed as they were, because something stricter had taken their place; the change then ends as `superseded`.',
    }),
    effective_at: z.string().openapi({
      description: 'When all of it holds; until it is approved, the earliest that this can be.',
    }),
    intent_hash: z.string(),
    required_approvals: z.int(),
    approvals: z.array(z.record(z.string(), z.unknown())),
    initiator: z.string(),
    history: z.array(z.object({ state: z.enum(CONTROL_CHANGE_STATES), at: z.string(), cause: z.string() })),
    expires_at: z.string(),
    created_at: z.string(),
  })
  .openapi('PolicyChange')

const params = z.object({ id: z.string().max(255) })

const read = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/policy',
  summary: 'The policy that holds now',
  tags: ['Policy'],
  responses: { 200: answer(policyView) },
})

const update = createRoute({
  ...secured('policy'),
  method: 'put',
  path: '/policy',
  summary: 'Asks for a change; two other people must approve it, and what loosens waits for the cool-down',
  tags: ['Policy'],
  request: { body: { required: true, content: { 'application/json': { schema: policyBody } } } },
  responses: { 202: answer(changeView, 'Waits for its approvals under /policy/changes/{id}') },
})

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/policy/changes',
  summary: 'Changes of the policy, newest first',
  tags: ['Policy'],
  request: { query: z.strictObject({ ...pagingQuery }) },
  responses: { 200: listAnswer(changeView) },
})

const get = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/policy/changes/{id}',
  summary: 'One change of the policy',
  tags: ['Policy'],
  request: { params },
  responses: { 200: answer(changeView) },
})

const revoke = createRoute({
  ...secured('policy'),
  method: 'delete',
  path: '/policy/changes/{id}',
  summary: 'Takes back what does not hold yet',
  tags: ['Policy'],
  request: { params },
  responses: { 200: answer(changeView, 'Revoked') },
})

/** Registers `/policy` and `/policy/changes`; their `/intent` and `/approvals` are in `approvals.ts`. */
export function registerPolicyRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(read, async (c) => {
    const { version, policy, effectiveAt } = await readPolicy(sql, c.get('merchantId'))
    const open = await sql<{ id: string }[]>`
      SELECT id FROM control_changes
      WHERE merchant_id = ${c.get('merchantId')} AND kind = 'policy' AND state IN ${members(sql, OPEN_CONTROL_CHANGES)}
      ORDER BY id DESC`
    const view = {
      version,
      effective_at: effectiveAt?.toISOString() ?? null,
      ...policy,
      pending_changes: open.map((row) => row.id),
    }
    return c.json(mutable(success(view)), 200)
  })

  app.openapi(update, async (c) => {
    const body = c.req.valid('json')
    requireKnownCoins(networks, body)
    const view = await inTransaction(sql, async (tx) => {
      const id = await createPolicyChange(tx, {
        merchantId: c.get('merchantId'),
        // Parsed JSON holds no undefined.
        update: body as PolicyUpdate,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        coolDownMs: environment.KEYTURN_POLICY_COOL_DOWN,
        expiryMs: environment.KEYTURN_CHANGE_EXPIRY,
      })
      return viewOf(tx, c.get('merchantId'), id)
    })
    startControlChangeSoon(dependencies, view.id)
    return c.json(mutable(success(view)), 202)
  })

  app.openapi(list, async (c) => {
    const query = c.req.valid('query')
    const rows = await listPolicyChanges(sql, c.get('merchantId'), toSlice(query))
    return c.json(mutable(successPage(toPage(query, rows, toPolicyChangeView, (row) => row.id))), 200)
  })

  app.openapi(get, async (c) => {
    return c.json(mutable(success(await viewOf(sql, c.get('merchantId'), c.req.valid('param').id))), 200)
  })

  app.openapi(revoke, async (c) => {
    const { id } = c.req.valid('param')
    const merchantId = c.get('merchantId')
    const actor = c.get('actor')
    await inTransaction(sql, (tx) => revokeControlChange(tx, 'policy', { merchantId, id, actor }))
    startControlChangeSoon(dependencies, id, (handle) => handle.signal('revoked'))
    return c.json(mutable(success(await viewOf(sql, merchantId, id))), 200)
  })
}

async function viewOf(sql: Queryable, merchantId: string, id: string): Promise<PolicyChangeView> {
  const [row] = await listPolicyChanges(sql, merchantId, { before: null, offset: 0, take: 1 }, id)
  if (!row) throw changeNotFound('policy', id)
  return toPolicyChangeView(row)
}

/** A limit on a coin that is written wrong would limit nothing. */
function requireKnownCoins(networks: Networks, body: z.infer<typeof policyBody>): void {
  const lists = {
    'limits.merchant': body.limits?.merchant,
    'limits.user': body.limits?.user,
    'multisig_config.threshold_amounts': body.multisig_config?.threshold_amounts,
  }
  for (const rows of [...Object.values(lists), body.confirmation_tiers]) {
    for (const row of rows ?? []) findCoin(findNetwork(networks, row.network), row.coin)
  }
  for (const [path, rows] of Object.entries(lists)) {
    requireOnce(
      path,
      'names a coin twice',
      rows?.map(({ network, coin }) => `${network}.${coin}`),
    )
  }
  requireOnce(
    'confirmation_tiers',
    'names an amount of a coin twice',
    body.confirmation_tiers?.map(({ network, coin, from }) => `${network}.${coin}.${plainAmount(from)}`),
  )
}

/** Two rows for the same thing contradict each other, however they are written. */
function requireOnce(path: string, reason: string, keys: readonly string[] = []): void {
  if (new Set(keys).size === keys.length) return
  throw new KeyturnError('VALIDATION_FAILED', `${path} ${reason}`, {
    details: { in: 'body', fields: [{ path, reason }] },
  })
}
