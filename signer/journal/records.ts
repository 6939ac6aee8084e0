/** Indexes the decisions by the hash of their intent. Ids are only shown. */

import { assertNever } from '../../domain/assert-never.js'
import type { IntentKind } from '../../domain/controls/intent.js'
import type { ConflictSet, JournalEntry } from './entry.js'

/** Place of a `signed` line in the journal. */
export interface SignedPlace {
  readonly offset: number
  readonly length: number
}

/** Decisions about one intent, or about one part of a batch. */
export interface IntentRecord {
  readonly kind: IntentKind
  /** Id of the intent. */
  readonly intent: string
  readonly intentHash: string
  /** Items of the part's first payload. `null` for an intent that is paid as a whole. */
  readonly items: ReadonlySet<number> | null
  /** First of `items`, which no other part has. `null` for an intent that is paid as a whole. */
  readonly firstItem: number | null
  /** Conflict set of the first payload. Every later payload must lie in it. */
  readonly conflict: ConflictSet
  /** Decided payload hashes, with the place of the signed bytes. `null` until signed. */
  readonly payloads: Map<string, SignedPlace | null>
  /** Whether a payload pays, so that limits have counted it. Otherwise all of them cancel. */
  paid: boolean
  /** Highest fee of the payloads that pay, in base units of the native coin. */
  fee: bigint
  /** Highest fee of the payloads that cancel, in base units of the native coin. */
  cancelFee: bigint
}

type Decided = Extract<JournalEntry, { type: 'decided' }>
type Signed = Extract<JournalEntry, { type: 'signed' }>

interface KnownIntent {
  /** Record of an intent that is paid as a whole. `null` for a batch. */
  whole: IntentRecord | null
  /** Record of each item's part. Empty unless the intent is a batch. */
  readonly parts: Map<number, IntentRecord>
  /** Sum of the fees of all its records. */
  fees: bigint
}

/** The records of one journal, with the coins and nonces that they own. */
export class Records {
  readonly #intents = new Map<string, KnownIntent>()
  /** Hashes of intents by id. */
  readonly #hashes = new Map<string, string>()
  readonly #nonces = new Map<string, IntentRecord>()
  readonly #outpoints = new Map<string, IntentRecord[]>()
  readonly #highestNonces = new Map<string, number>()
  readonly #highestChange = new Map<string, number>()

  /** Returns the hash of the intent that was decided under this id. */
  hashOf(id: string): string | undefined {
    return this.#hashes.get(id)
  }

  /**
   * Finds the record of an intent. A batch has a record for each part, and the first item that belongs to a
   * part decides.
   *
   * @param items - Items that the payload of a batch pays. `null` for every other kind.
   */
  find(intentHash: string, items: readonly number[] | null): IntentRecord | undefined {
    const known = this.#intents.get(intentHash)
    if (items === null) return known?.whole ?? undefined
    for (const item of items) {
      const part = known?.parts.get(item)
      if (part) return part
    }
    return undefined
  }

  /**
   * Returns the base units of the native coin that an intent may cost: the highest fee of each of its parts.
   */
  fees(intentHash: string): bigint {
    return this.#intents.get(intentHash)?.fees ?? 0n
  }

  /** Returns the record whose first payload uses this nonce. @param from - Lower case. */
  nonceOwner(chainId: number, from: string, nonce: number): IntentRecord | undefined {
    return this.#nonces.get(`${chainId}/${from}/${nonce}`)
  }

  /**
   * Returns the highest nonce of an account in the journal. `null` before the first.
   *
   * @param from - Lower case.
   */
  highestNonce(chainId: number, from: string): number | null {
    return this.#highestNonces.get(`${chainId}/${from}`) ?? null
  }

  /** Returns the highest index of change that was decided on a network. 0 before the first. */
  highestChange(network: string): number {
    return this.#highestChange.get(network) ?? 0
  }

  /**
   * Returns the records whose first payloads spend this outpoint: the first one, and later payouts that
   * people approved.
   */
  outpointOwners(network: string, outpoint: string): readonly IntentRecord[] {
    return this.#outpoints.get(`${network}/${outpoint}`) ?? []
  }

  /** Adds a decision. @returns Its record, which is new for a new intent or part. */
  decided(entry: Decided): IntentRecord {
    const record = this.find(entry.intent_hash, entry.items ?? null) ?? this.#found(entry)
    if (!record.payloads.has(entry.payload_hash)) record.payloads.set(entry.payload_hash, null)
    const { conflict, change_index: change } = entry
    if (conflict.kind === 'utxo' && change !== undefined) {
      this.#highestChange.set(conflict.network, Math.max(change, this.highestChange(conflict.network)))
    }
    return record
  }

  /** Notes the fee of an attempt that pays. @returns The amount by which it exceeds every earlier attempt. */
  raiseFee(record: IntentRecord, fee: bigint): bigint {
    const more = fee - record.fee
    if (more <= 0n) return 0n
    record.fee = fee
    const known = this.#intents.get(record.intentHash)
    if (known) known.fees += more
    return more
  }

  /** Adds the place of signed bytes. */
  signed(entry: Signed, place: SignedPlace): void {
    const record =
      entry.intent_hash === undefined
        ? this.#named(entry)
        : this.find(entry.intent_hash, entry.first_item == null ? null : [entry.first_item])
    record?.payloads.set(entry.payload_hash, place)
  }

  /**
   * Finds the record of an older line, which has no hash and calls a part `batch#first item`. The payload
   * shows which record is meant.
   */
  #named({ intent, payload_hash }: Signed): IntentRecord | undefined {
    const end = intent.lastIndexOf('#')
    const candidates = [
      this.find(this.#hashes.get(intent) ?? '', null),
      end < 0
        ? undefined
        : this.find(this.#hashes.get(intent.slice(0, end)) ?? '', [Number(intent.slice(end + 1))]),
    ]
    return candidates.find((record) => record?.payloads.has(payload_hash))
  }

  #found(entry: Decided): IntentRecord {
    const { conflict, items, intent_hash: intentHash } = entry
    const record: IntentRecord = {
      // Older lines have no kind.
      kind: entry.kind ?? (items ? 'batch' : 'withdrawal'),
      intent: entry.intent,
      intentHash,
      items: items ? new Set(items) : null,
      firstItem: items?.[0] ?? null,
      conflict,
      payloads: new Map(),
      paid: false,
      fee: 0n,
      cancelFee: 0n,
    }
    const known = this.#intents.get(intentHash) ?? { whole: null, parts: new Map(), fees: 0n }
    this.#intents.set(intentHash, known)
    if (!this.#hashes.has(entry.intent)) this.#hashes.set(entry.intent, intentHash)
    if (!items) known.whole = record
    for (const item of items ?? []) known.parts.set(item, record)
    this.#own(conflict, record)
    return record
  }

  #own(conflict: ConflictSet, record: IntentRecord): void {
    switch (conflict.kind) {
      case 'evm': {
        const account = `${conflict.chain_id}/${conflict.from}`
        this.#nonces.set(`${account}/${conflict.nonce}`, record)
        this.#highestNonces.set(account, Math.max(conflict.nonce, this.#highestNonces.get(account) ?? 0))
        return
      }
      case 'utxo': {
        for (const each of conflict.inputs) {
          const key = `${conflict.network}/${each}`
          const owners = this.#outpoints.get(key)
          if (owners) owners.push(record)
          else this.#outpoints.set(key, [record])
        }
        return
      }
      default:
        assertNever(conflict)
    }
  }
}

/** Returns the name of a record for people. */
export function recordName({ intent, firstItem }: IntentRecord): string {
  return firstItem === null ? intent : `item ${firstItem} of ${intent}`
}
