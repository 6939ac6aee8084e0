/** Pauses of settlement: what stops broadcasts, schedules and sweeps. */

import { z } from 'zod'
import { PAUSED_BY } from '../domain/controls/settlement-pause.js'
import { AwaitedApproval } from './deposit.js'

const reason = z.string().trim().min(1).max(500).meta({ example: 'A laptop of the finance team was stolen' })

export const PauseSettlement = z
  .object({ reason })
  .strict()
  .meta({ id: 'PauseSettlement', description: 'A pause to place.' })
export type PauseSettlement = z.infer<typeof PauseSettlement>

export const ResumeSettlement = z
  .object({ reason })
  .strict()
  .meta({ id: 'ResumeSettlement', description: 'The end of a pause to ask for.' })
export type ResumeSettlement = z.infer<typeof ResumeSettlement>

const pauseFields = {
  id: z.string().meta({ example: 'pse_0193…' }),
  placed_by: z
    .enum(PAUSED_BY)
    .meta({ description: '`suspension`: the merchant is suspended, and resumes with it.' }),
  network: z.string().nullable().meta({ description: '`null`: every network.' }),
  coin: z.string().nullable().meta({ description: '`null`: every coin.' }),
  reason: z.string(),
  since: z.iso.datetime(),
}

export const SettlementPause = z
  .object(pauseFields)
  .meta({ id: 'SettlementPause', description: 'A pause that stands.' })
export type SettlementPause = z.infer<typeof SettlementPause>

export const Settlement = z
  .object({
    paused: z.boolean().meta({ description: 'Whether any pause concerns the merchant.' }),
    pauses: z.array(SettlementPause).readonly().meta({ description: 'Oldest first.' }),
    sending: z.int().meta({
      description: 'Payouts whose bytes were being sent when settlement was paused, and may still be.',
    }),
    approval: AwaitedApproval.nullable().meta({ description: 'A resumption that waits for two approvals.' }),
  })
  .meta({ id: 'Settlement', description: 'Whether payouts of the merchant are sent.' })
export type Settlement = z.infer<typeof Settlement>

export const OperatorPause = z
  .object({
    ...pauseFields,
    merchant_id: z.string().nullable().meta({ description: '`null`: every merchant.' }),
    sending: z.int().meta({ description: 'As in `Settlement`.' }),
  })
  .meta({ id: 'OperatorPause', description: 'A pause that stands, as the operator sees it.' })
export type OperatorPause = z.infer<typeof OperatorPause>

export const NewOperatorPause = z
  .object({
    reason,
    merchant_id: z.string().max(255).optional().meta({ description: 'Absent: every merchant.' }),
    network: z.string().max(64).optional().meta({ description: 'Absent: every network.' }),
    coin: z.string().max(64).optional().meta({ description: 'Needs `network`. Absent: every coin.' }),
  })
  .strict()
  .refine((pause) => pause.coin === undefined || pause.network !== undefined, {
    path: ['coin'],
    message: 'needs the network beside it',
  })
  .meta({ id: 'NewOperatorPause', description: 'A pause for an operator to place.' })
export type NewOperatorPause = z.infer<typeof NewOperatorPause>

export const OperatorResume = z
  .object({ id: z.string().max(255).meta({ description: 'Id of the pause.' }), reason })
  .strict()
  .meta({ id: 'OperatorResume', description: 'The end of an operator’s pause to ask for.' })
export type OperatorResume = z.infer<typeof OperatorResume>

export const ResumeVotes = z
  .object({
    id: z.string(),
    ended: z.boolean().meta({ description: 'Whether the pause has ended.' }),
    votes: z.int().meta({ description: 'Operators who have asked for its end.' }),
    required: z.int(),
  })
  .meta({ id: 'ResumeVotes', description: 'How far the end of an operator’s pause is.' })
export type ResumeVotes = z.infer<typeof ResumeVotes>
