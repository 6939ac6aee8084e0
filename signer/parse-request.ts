/** Parses what the platform asks to be signed. Nothing in it is trusted; this only gives it a shape. */

import { z } from 'zod'
import { PAYMENT_KINDS } from '../domain/intent.js'
import { isIsoTime } from '../domain/iso-time.js'

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const integer = z.string().regex(/^(0|[1-9]\d{0,77})$/)
const positive = z.string().regex(/^[1-9]\d{0,77}$/)
const evmAddress = z.string().regex(/^0x[0-9a-fA-F]{40}$/)
const text = z.string().min(1).max(1_000)
const time = z.string().max(40).refine(isIsoTime, 'Not a time of the calendar in UTC')

/** An unknown field would be signed by approvers and not understood here, so it is refused. */
const intent = z.strictObject({
  version: z.literal(1),
  kind: z.enum(PAYMENT_KINDS),
  merchant: text,
  withdrawal: text,
  external_id: z.string().max(1_000).nullable(),
  network: text,
  asset: z.strictObject({ coin: text, contract: evmAddress.nullable(), decimals: z.int().min(0).max(36) }),
  outputs: z.array(z.strictObject({ address: text, amount: positive })).min(1),
  fee_payer: z.enum(['sender', 'recipient']),
  fee_limit: z.strictObject({ coin: text, amount: integer }),
  initiator: text,
  co_initiators: z.array(text).min(1).max(100).optional(),
  created_at: time,
  expires_at: time,
})
const approval = z.object({
  approver_id: text,
  decision: z.enum(['approve', 'reject']),
  intent_hash: hash,
  signed_at: time,
  signature: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
})
const utxoPayload = z.strictObject({ family: z.literal('utxo'), network: text, psbt: z.string().min(1) })
/** Loose: further fields mean another type of transaction, which a check of its own refuses by name. */
const evmPayload = z.looseObject({
  family: z.literal('evm'),
  network: text,
  chain_id: z.int().min(1),
  from: evmAddress,
  derivation_path: text,
  to: evmAddress,
  value: integer,
  data: z.string().regex(/^0x([0-9a-fA-F]{2})*$/),
  nonce: z.int().min(0),
  gas: positive,
  max_fee_per_gas: positive,
  max_priority_fee_per_gas: integer,
})

const requestSchema = z.object({
  id: text,
  attempt: z.int().min(0),
  purpose: z.enum(['pay', 'cancel']),
  intent,
  intent_hash: hash,
  approvals: z.array(approval).max(100),
  items: z.array(z.int().min(0)).min(1).nullable(),
  /** Of a movement; payments have none. */
  destination_path: text.optional(),
  payload: z.discriminatedUnion('family', [utxoPayload, evmPayload]),
})

const approvalsOnly = requestSchema.pick({ approvals: true })

/** A request that has the right shape; see `SigningRequest` in domain/signer-protocol.ts. */
export type ParsedRequest = z.infer<typeof requestSchema>
export type ParsedApproval = ParsedRequest['approvals'][number]
export type ParsedEvmPayload = Extract<ParsedRequest['payload'], { family: 'evm' }>

/** Field names that an EIP-1559 payload may have. */
export const EVM_PAYLOAD_FIELDS: ReadonlySet<string> = new Set(Object.keys(evmPayload.shape))

/** Parses a request. @returns The reason when it has not the right shape. */
export function parseRequest(
  input: unknown,
): { readonly request: ParsedRequest } | { readonly reason: string } {
  const parsed = requestSchema.safeParse(input)
  return parsed.success ? { request: parsed.data } : { reason: z.prettifyError(parsed.error) }
}

/** The approvals of a request alone; none when they have not the right shape. */
export function parseApprovals(input: unknown): readonly ParsedApproval[] {
  const parsed = approvalsOnly.safeParse(input)
  return parsed.success ? parsed.data.approvals : []
}
