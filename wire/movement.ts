/** Movements: payouts between the merchant's own wallets. */

import { z } from 'zod'
import { MOVEMENT_KINDS } from '../domain/payouts/treasury.js'
import { pagingFields } from './paging.js'
import { Withdrawal, WithdrawalStatus } from './withdrawal.js'

const kind = z.enum(MOVEMENT_KINDS)

export const Movement = Withdrawal.pick({
  id: true,
  status: true,
  stage: true,
  network: true,
  coin: true,
  amount: true,
  fee: true,
  fee_coin: true,
  fee_limit: true,
  to_address: true,
  from_address: true,
  approvals: true,
  required_approvals: true,
  intent_hash: true,
  failure: true,
  waiting: true,
  transaction_hash: true,
  confirmations: true,
  required_confirmations: true,
  block_number: true,
  history: true,
  expires_at: true,
  created_at: true,
  updated_at: true,
  confirmed_at: true,
})
  .extend({
    id: z.string().meta({ example: 'mov_0193…' }),
    kind,
    cause: z.string().meta({ description: 'Why it was made.' }),
  })
  .meta({
    id: 'Movement',
    description: "A payout between the merchant's own wallets. It changes balances by its fee only.",
  })
export type Movement = z.infer<typeof Movement>

/** The query of `GET /movements`. */
export const MovementFilter = z.strictObject({
  ...pagingFields,
  kind: kind.optional(),
  status: WithdrawalStatus.optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
})
export type MovementFilter = z.input<typeof MovementFilter>

/** A consolidation that a request has started. */
export const Consolidation = z
  .object({
    network: z.string(),
    coin: z.string(),
    address_id: z.string().nullable().meta({ description: '`null` where many addresses pay (UTXO).' }),
    workflow_id: z.string(),
  })
  .meta({ id: 'Consolidation', description: 'A consolidation that a request has started.' })
export type Consolidation = z.infer<typeof Consolidation>

export const ConsolidationRequest = z
  .object({ consolidations: z.array(Consolidation).readonly() })
  .meta({ id: 'ConsolidationRequest', description: 'The consolidations that a request has started.' })
export type ConsolidationRequest = z.infer<typeof ConsolidationRequest>

/** The body of `POST /movements/consolidate`. */
export const NewConsolidation = z.strictObject({
  network: z.string().min(1).max(31),
  coin: z.string().min(1).max(31).optional(),
  address_id: z.string().min(1).max(255).optional(),
})
export type NewConsolidation = z.input<typeof NewConsolidation>
