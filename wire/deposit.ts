/** Deposits: what arrived on the chains. */

import { z } from 'zod'
import { DEPOSIT_STATUSES } from '../domain/deposits/deposit-status.js'
import { pagingFields } from './paging.js'
import { windowFields } from './time.js'

const status = z.enum(DEPOSIT_STATUSES)

/** An amount at an address. */
export const AmountAtAddress = z
  .object({ address: z.string(), amount: z.string() })
  .meta({ id: 'AmountAtAddress', description: 'An amount at an address, in whole coins.' })
export type AmountAtAddress = z.infer<typeof AmountAtAddress>

export const Deposit = z
  .object({
    id: z.string().meta({ example: 'dep_0193…' }),
    status,
    previous_status: status
      .nullable()
      .optional()
      .meta({ description: 'Status before the change. Only in events; `null` for a new deposit.' }),
    network: z.string(),
    coin: z.string(),
    amount: z.string().meta({ example: '0.5', description: 'In whole coins.' }),
    user_reference: z.string().nullable(),
    address: z.object({
      id: z.string(),
      address: z.string(),
      network: z.string(),
      label: z.string().nullable(),
      key_pair_id: z.string(),
      asset_pool_id: z.string(),
    }),
    transaction_hash: z.string(),
    output_index: z.int(),
    confirmations: z.int(),
    required_confirmations: z.int(),
    block_number: z.int().nullable().meta({ description: '`null` until mined.' }),
    block_hash: z.string().nullable().meta({ description: '`null` until mined.' }),
    block_time: z.iso.datetime().nullable().meta({ description: '`null` until mined.' }),
    fee: z.object({ coin: z.string(), amount: z.string() }).nullable().meta({
      description:
        "Network fee of the transaction, in whole coins of the network's own coin. `null` where it is unknown.",
    }),
    sources: z.array(AmountAtAddress).readonly(),
    destinations: z.array(AmountAtAddress).readonly(),
    payment_id: z.string().nullable(),
    decision: z
      .object({
        verdict: z.enum(['release', 'reject']),
        by: z.string().meta({ description: 'Id of the person. Id of the API key where it has no person.' }),
        reason: z.string(),
        at: z.iso.datetime(),
      })
      .nullable()
      .meta({ description: 'What a person decided about the deposit while it was held. `null` until then.' }),
    detected_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    confirmed_at: z.iso.datetime().nullable(),
    credited_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Deposit', description: 'A transfer to an address of the merchant.' })
export type Deposit = z.infer<typeof Deposit>

export const DepositWithHistory = Deposit.extend({
  history: z.array(z.object({ status, at: z.iso.datetime(), cause: z.string() })).readonly(),
}).meta({ id: 'DepositWithHistory', description: 'A deposit with every status that it had.' })
export type DepositWithHistory = z.infer<typeof DepositWithHistory>

/** Where a subject waits for approvals. */
export const AwaitedApproval = z
  .object({
    path: z.string().meta({ description: '`/intent` and `/approvals` stand under this path.' }),
    intent_hash: z.string(),
    required: z.int(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'AwaitedApproval', description: 'Where the approvals are sent, and what they sign.' })
export type AwaitedApproval = z.infer<typeof AwaitedApproval>

export const DepositAwaitingApproval = DepositWithHistory.extend({ approval: AwaitedApproval }).meta({
  id: 'DepositAwaitingApproval',
  description: 'A held deposit whose release waits for two approvals.',
})
export type DepositAwaitingApproval = z.infer<typeof DepositAwaitingApproval>

/** The query of `GET /deposits`. */
export const DepositFilter = z.strictObject({
  ...pagingFields,
  ...windowFields,
  user_reference: z.string().optional(),
  network: z.string().optional(),
  coin: z.string().optional(),
  status: status.optional(),
  address: z.string().optional(),
  transaction_hash: z.string().optional(),
  payment_id: z.string().optional(),
})
export type DepositFilter = z.input<typeof DepositFilter>
