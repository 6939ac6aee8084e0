/** How soon a payout should be confirmed, and so how high its fee may be. */

import { z } from 'zod'
import { PRIORITIES } from '../domain/payouts/priority.js'

export const Priority = z.enum(PRIORITIES).meta({
  id: 'Priority',
  description: 'How soon a payout should be confirmed; a higher priority pays a higher fee.',
})
export type Priority = z.infer<typeof Priority>

/** The priority of a request. Its own description keeps the default in the OpenAPI document, which a reference would lose. */
export const RequestedPriority = Priority.default('normal').meta({
  description: 'A higher priority pays a higher fee.',
})
