/** The lines of the journal. */

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { INTENT_KINDS, type IntentKind } from '../../domain/controls/intent.js'
import { isIsoTime } from '../../domain/iso-time.js'

/** Hash of the head of an empty journal. */
export const EMPTY_HEAD = '0'.repeat(64)

/**
 * How far an `unlocked` entry may move the sequence: more lines than a journal can hold, and far from where numbers stop being
 * exact, so that every later line can be read again at each claim of the platform.
 */
export const MAX_JUMP = 1_000_000_000

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const chained = {
  /** From 1 without a gap, but for the jump of an `unlocked` entry. */
  sequence: z.int().min(1),
  /** Hash of the line before. */
  previous: hash,
  /** ISO 8601 UTC; never before that of the line before. */
  at: z.string().refine(isIsoTime),
}
const conflict = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('evm'),
    chain_id: z.int(),
    /** Lower case. */
    from: z.string(),
    nonce: z.int().min(0),
  }),
  z.strictObject({
    kind: z.literal('utxo'),
    network: z.string(),
    /** The first input's outpoint, `txid:vout`. */
    anchor: z.string(),
    inputs: z.array(z.string()).min(1),
  }),
])

/** What a journal line says. */
export const entrySchema = z.discriminatedUnion('type', [
  /** A payload passed every check: from here on it counts as signed. Synced before the key is touched. */
  z.strictObject({
    ...chained,
    type: z.literal('decided'),
    request: z.string(),
    attempt: z.int(),
    /** `cancel` has no recipient and takes the place of a payout. */
    purpose: z.enum(['pay', 'cancel']).default('pay'),
    intent: z.string(),
    intent_hash: hash,
    /** Lines of payments were once written without it. */
    kind: z.enum(INTENT_KINDS).optional(),
    /** Which outputs of a batch's intent it pays. */
    items: z.array(z.int().min(0)).min(1).optional(),
    payload_hash: hash,
    conflict,
    /** Where its change lies on branch 1 of the master wallet; of a transaction without change it is left out. */
    change_index: z.int().min(0).optional(),
    /** `caip2/native` or `caip2/contract`. */
    asset: z.string(),
    /** Base units that leave to recipients; 0 of what cancels. */
    amount: z.string().regex(/^\d+$/),
    /** The most that it costs, in base units of the native coin. */
    fee: z.string().regex(/^\d+$/),
    policy_hash: hash,
  }),
  /** The bytes that came of it. */
  z.strictObject({
    ...chained,
    type: z.literal('signed'),
    /** Once of a part of a batch `intent#first item`, with neither of the next two. */
    intent: z.string(),
    intent_hash: hash.optional(),
    /** Of a part of a batch: the first item of its first payload. */
    first_item: z.int().min(0).nullable().optional(),
    payload_hash: hash,
    transaction_hash: z.string(),
    /** SHA-256 of the text below. */
    signed_hash: hash,
    signed_transaction: z.string(),
  }),
  /** The signer was enrolled with this journal: only intents created later are new, another journal may hold what was before. */
  z.strictObject({ ...chained, type: z.literal('enrolled') }),
  /** From here on only intents created later are new: what was signed before is not all in this journal. */
  z.strictObject({ ...chained, type: z.literal('restored'), reason: z.string() }),
  /** The operator accepted that entries up to the platform's known head are lost. */
  z.strictObject({
    ...chained,
    type: z.literal('unlocked'),
    known_head: hash,
    known_sequence: z.int().min(0),
  }),
])

export type JournalEntry = z.infer<typeof entrySchema>
export type ConflictSet = z.infer<typeof conflict>

type WithoutChain<T> = T extends unknown ? Omit<T, 'sequence' | 'previous' | 'at'> : never
type NowRequired<T> = T extends { type: 'decided' }
  ? T & { readonly kind: IntentKind }
  : T extends { type: 'signed' }
    ? T & { readonly intent_hash: string; readonly first_item: number | null }
    : T
/** An entry before it has its place in the chain. */
export type NewJournalEntry = WithoutChain<NowRequired<JournalEntry>>

/** Lower-case hex SHA-256 of `"keyturn-journal-v1\n"` and the line without its newline. */
export function entryHash(line: string | Buffer): string {
  return createHash('sha256').update('keyturn-journal-v1\n').update(line).digest('hex')
}
