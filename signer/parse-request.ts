/** Parses the requests of the platform. It trusts nothing in them and only gives them a shape. */

import { z } from 'zod'
import { INTENT_KINDS } from '../domain/controls/intent.js'
import { isIsoTime } from '../domain/iso-time.js'
import { MAX_OUTPUTS, MAX_REQUEST_BYTES } from '../domain/signing/signer-protocol.js'
import { requestSize, tooLarge } from './request-size.js'

/** Most problems that are reported about one request. */
const MOST_ISSUES = 3

/**
 * Returns a schema for a text of at most `most` characters. A longer text meets no pattern, whose steps would
 * grow with it.
 */
const bounded = (most: number) => z.string().min(1).max(most, { abort: true })
const hash = bounded(64).regex(/^[0-9a-f]{64}$/)
const integer = bounded(78).regex(/^(0|[1-9]\d{0,77})$/)
const positive = bounded(78).regex(/^[1-9]\d{0,77}$/)
const evmAddress = bounded(42).regex(/^0x[0-9a-fA-F]{40}$/)
/** Schema of ids, names of networks and coins, and paths. */
const text = bounded(128)
/** Schema of calldata. A transfer takes 138 characters; a check of its own refuses somewhat more. */
const calldata = bounded(1_024).regex(/^0x(?:[0-9a-fA-F]{2})*$/)
const time = z.string().max(40, { abort: true }).refine(isIsoTime, 'Not a time of the calendar in UTC')

/**
 * Schema of the intent. An unknown field would be signed by approvers and not understood here, so it is
 * refused.
 */
const intent = z.strictObject({
  version: z.literal(1),
  kind: z.enum(INTENT_KINDS),
  merchant: text,
  withdrawal: text,
  /** Signer that shall pay. Absent from older platforms; a check decides what is still signed for those. */
  signer: text.optional(),
  external_id: z.string().max(255).nullable(),
  network: text,
  asset: z.strictObject({ coin: text, contract: evmAddress.nullable(), decimals: z.int().min(0).max(36) }),
  outputs: z
    .array(z.strictObject({ address: text, amount: positive }))
    .min(1)
    .max(MAX_OUTPUTS),
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
  signature: bounded(88).regex(/^[A-Za-z0-9+/]{86}==$/),
})
const utxoPayload = z.strictObject({
  family: z.literal('utxo'),
  network: text,
  psbt: bounded(MAX_REQUEST_BYTES),
})
/**
 * Schema of an EVM payload. Further fields pass, because they mean another type of transaction, which a check
 * refuses by name.
 */
const evmPayload = z.looseObject({
  family: z.literal('evm'),
  network: text,
  chain_id: z.int().min(1),
  from: evmAddress,
  derivation_path: text,
  to: evmAddress,
  value: integer,
  data: calldata,
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
  items: z.array(z.int().min(0)).min(1).max(MAX_OUTPUTS).nullable(),
  /** Path of a movement's destination. Absent for payouts that people approve. */
  destination_path: text.optional(),
  payload: z.discriminatedUnion('family', [utxoPayload, evmPayload]),
})

/** A request that has the right shape; see `SigningRequest` in domain/signing/signer-protocol.ts. */
export type ParsedRequest = z.infer<typeof requestSchema>
export type ParsedApproval = ParsedRequest['approvals'][number]
export type ParsedEvmPayload = Extract<ParsedRequest['payload'], { family: 'evm' }>

/** Field names that an EIP-1559 payload may have. */
export const EVM_PAYLOAD_FIELDS: ReadonlySet<string> = new Set(Object.keys(evmPayload.shape))

/** Result of parsing a request. */
export type RequestReading = {
  /** Id of the request. Empty when it has none. */
  readonly requestId: string
} & ({ readonly request: ParsedRequest } | { readonly reason: string })

/**
 * Parses a request, and never throws.
 *
 * @returns The request, or the reason when its shape or size is wrong.
 */
export function parseRequest(input: unknown): RequestReading {
  const unread = (reason: string) => ({ requestId: requestIdOf(input), reason })
  try {
    const reason = tooLarge(requestSize(input))
    if (reason !== null) return unread(reason)
    const parsed = requestSchema.safeParse(input)
    if (parsed.success) return { requestId: parsed.data.id, request: parsed.data }
    return unread(z.prettifyError(new z.ZodError(parsed.error.issues.slice(0, MOST_ISSUES))))
  } catch (error) {
    return unread(error instanceof Error ? error.message : 'The request cannot be read')
  }
}

/** Returns the id of a value that may otherwise be no request, so that the refusal can name it. */
function requestIdOf(input: unknown): string {
  const id = typeof input === 'object' && input !== null && 'id' in input ? input.id : null
  const parsed = requestSchema.shape.id.safeParse(id)
  return parsed.success ? parsed.data : ''
}
