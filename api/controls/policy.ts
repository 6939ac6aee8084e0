/** Routes of the merchant's policy: read it, and request a change that two people must approve. */

import { createRoute } from '@hono/zod-openapi'
import { inTransaction } from '../../db/connect.js'
import { createPolicyChange } from '../../db/controls/policy/create-policy-change.js'
import { listOpenPolicyChanges } from '../../db/controls/policy/list-open-changes.js'
import { readPolicy } from '../../db/controls/policy/read-policy.js'
import type { PolicyUpdate as DomainUpdate } from '../../domain/controls/policy.js'
import { PolicyChange, PolicyUpdate, PolicyVersion } from '../../wire/policy.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { answer, success } from '../http/answer.js'
import { secured } from '../http/secured.js'
import { startControlChangeSoon } from '../start/start-control-change-soon.js'
import { checkPolicyUpdate } from './check-policy-update.js'
import { viewPolicyChange } from './policy-changes.js'

const read = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/policy',
  summary: 'The policy in effect',
  tags: ['Policy'],
  responses: { 200: answer(PolicyVersion) },
})

const update = createRoute({
  ...secured('policy'),
  method: 'put',
  path: '/policy',
  summary: 'Request a change. Two other people must approve it, and loosening fields wait for the cool-down',
  tags: ['Policy'],
  request: { body: { required: true, content: { 'application/json': { schema: PolicyUpdate } } } },
  responses: { 202: answer(PolicyChange, 'Waits for its approvals under /policy/changes/{id}') },
})

/** Registers `/policy`. */
export function registerPolicyRoutes(app: ApiApp, dependencies: ApiDependencies): void {
  const { sql, networks, environment } = dependencies

  app.openapi(read, async (c) => {
    const { version, policy, effectiveAt } = await readPolicy(sql, c.get('merchantId'))
    const view = {
      version,
      effective_at: effectiveAt?.toISOString() ?? null,
      ...policy,
      pending_changes: await listOpenPolicyChanges(sql, c.get('merchantId')),
    }
    return c.json(success(view), 200)
  })

  app.openapi(update, async (c) => {
    const body = c.req.valid('json')
    checkPolicyUpdate(networks, body)
    const view = await inTransaction(sql, async (tx) => {
      const id = await createPolicyChange(tx, {
        merchantId: c.get('merchantId'),
        // Parsed JSON holds no `undefined`, so the exact optional types match.
        update: body as DomainUpdate,
        initiator: c.get('initiator'),
        actor: c.get('actor'),
        coolDownMs: environment.KEYTURN_POLICY_COOL_DOWN,
        expiryMs: environment.KEYTURN_CHANGE_EXPIRY,
      })
      return viewPolicyChange(tx, c.get('merchantId'), id)
    })
    startControlChangeSoon(dependencies, view.id)
    return c.json(success(view), 202)
  })
}
