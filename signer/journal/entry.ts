/** Defines the lines of the journal. */

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { INTENT_KINDS, type IntentKind } from '../../domain/controls/intent.js'
import { isIsoTime } from '../../domain/iso-time.js'

/** Head of an empty journal. */
export const EMPTY_HEAD = '0'.repeat(64)

/**
 * Most entries that an `unlocked` entry may jump over. A journal cannot hold so many lines, and the number is
 * far from where integers stop being exact, so every later line can be read again, although the platform
 * claims the position.
 */
export const MAX_JUMP = 1_000_000_000

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const chained = {
  /** Place in the journal, from 1 and without a gap except for the jump of an `unlocked` entry. */
  sequence: z.int().min(1),
  /** Hash of the previous line. */
  previous: hash,
  /** Time of the entry, ISO 8601 UTC. It is never before that of the previous line. */
  at: z.string().refine(isIsoTime),
}
const conflict = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('evm'),
    chain_id: z.int(),
    /** Account that pays, in lower case. */
    from: z.string(),
    nonce: z.int().min(0),
  }),
  z.strictObject({
    kind: z.literal('utxo'),
    network: z.string(),
    /** Outpoint of the first input, `txid:vout`. */
    anchor: z.string(),
    inputs: z.array(z.string()).min(1),
  }),
])

/** One line of the journal. */
export const entrySchema = z.discriminatedUnion('type', [
  /**
   * A payload passed every check. It counts as signed from here on. The entry is synced before the key is
   * used.
   */
  z.strictObject({
    ...chained,
    type: z.literal('decided'),
    request: z.string(),
    attempt: z.int(),
    /** Purpose of the payload. `cancel` has no recipient and takes the place of a payout. */
    purpose: z.enum(['pay', 'cancel']).default('pay'),
    intent: z.string(),
    intent_hash: hash,
    /** Kind of the intent. Absent in older lines, which are all of payouts that people approved. */
    kind: z.enum(INTENT_KINDS).optional(),
    /** Indices of the intent's outputs that the payload pays. Present only for a part of a batch. */
    items: z.array(z.int().min(0)).min(1).optional(),
    payload_hash: hash,
    conflict,
    /** Index of its change on branch 1 of the master wallet. Absent without change. */
    change_index: z.int().min(0).optional(),
    /** Asset that is paid, as `caip2/native` or `caip2/contract`. */
    asset: z.string(),
    /** Base units that leave to recipients. 0 for a cancellation. */
    amount: z.string().regex(/^\d+$/),
    /** Highest fee that it can cost, in base units of the native coin. */
    fee: z.string().regex(/^\d+$/),
    policy_hash: hash,
  }),
  /** The signed bytes of a decided payload. */
  z.strictObject({
    ...chained,
    type: z.literal('signed'),
    /**
     * Id of the intent. In older lines a part of a batch has `intent#first item`, and the next two fields are
     * absent.
     */
    intent: z.string(),
    intent_hash: hash.optional(),
    /** First item of the part's first payload. `null` for an intent that is paid as a whole. */
    first_item: z.int().min(0).nullable().optional(),
    payload_hash: hash,
    transaction_hash: z.string(),
    /** SHA-256 of `signed_transaction`. */
    signed_hash: hash,
    signed_transaction: z.string(),
  }),
  /**
   * The signer was enrolled with this journal. Only an intent that is created later is new, because another
   * journal may hold earlier ones.
   */
  z.strictObject({ ...chained, type: z.literal('enrolled') }),
  /**
   * The journal was restored. Only an intent that is created later is new, because the journal lacks a part
   * of what was signed.
   */
  z.strictObject({ ...chained, type: z.literal('restored'), reason: z.string() }),
  /**
   * The operator accepted that entries are lost, up to the position that the platform or the witness knows.
   */
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
/** An entry that has no place in the chain yet. */
export type NewJournalEntry = WithoutChain<NowRequired<JournalEntry>>

/** Returns the lower-case hex SHA-256 of `"keyturn-journal-v1\n"` and the line without its newline. */
export function entryHash(line: string | Buffer): string {
  return createHash('sha256').update('keyturn-journal-v1\n').update(line).digest('hex')
}
