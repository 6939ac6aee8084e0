/** Control changes: what changes a merchant's controls, by two approvals and a cool-down. */

import { z } from 'zod'
import { CONTROL_CHANGE_STATES } from '../domain/controls/control-change.js'
import { approvalFields } from './approval.js'

export const ControlChangeState = z
  .enum(CONTROL_CHANGE_STATES)
  .meta({ id: 'ControlChangeState', description: 'The state of a change of the merchant’s controls.' })
export type ControlChangeState = z.infer<typeof ControlChangeState>

/** What each kind of control change shows. */
export const controlChangeFields = {
  effective_at: z.string().meta({
    description: 'When the change is fully in effect. Before approval: the earliest possible time.',
  }),
  ...approvalFields,
  // The OpenAPI document describes these entries as open objects, and must not narrow what it promised.
  approvals: approvalFields.approvals.meta({ items: { type: 'object', additionalProperties: {} } }),
  initiator: z.string(),
  history: z.array(z.object({ state: ControlChangeState, at: z.string(), cause: z.string() })).readonly(),
  expires_at: z.string(),
  created_at: z.string(),
}
