/** What was decided about each intent, found by the hash of that intent; an id is only shown. */

import { assertNever } from '../../domain/assert-never.js'
import type { IntentKind } from '../../domain/controls/intent.js'
import type { ConflictSet, JournalEntry } from './entry.js'

/** Where a `signed` line lies. */
export interface SignedPlace {
  readonly offset: number
  readonly length: number
}

/** What the journal knows of an intent; of a batch, of one of its parts. */
export interface IntentRecord {
  readonly kind: IntentKind
  /** Its id. */
  readonly intent: string
  readonly intentHash: string
  /** Of a part of a batch: what its first payload pays. */
  readonly items: ReadonlySet<number> | null
  /** Of a part of a batch: the first of them, which no other part has. */
  readonly firstItem: number | null
  /** Of the first payload; every later one must lie in it. */
  readonly conflict: ConflictSet
  /** Payload hashes that were decided, and where the signed bytes lie. */
  readonly payloads: Map<string, SignedPlace | null>
  /** Whether a payment is among them, which limits have counted; else all of them cancel. */
  paid: boolean
  /** The highest fee of those that pay, in base units of the native coin. */
  fee: bigint
  /** The highest fee of those that cancel, in base units of the native coin. */
  cancelFee: bigint
}

type Decided = Extract<JournalEntry, { type: 'decided' }>
type Signed = Extract<JournalEntry, { type: 'signed' }>

interface KnownIntent {
  /** Of an intent that is paid as a whole. */
  whole: IntentRecord | null
  /** Of a batch: the part of each item. */
  readonly parts: Map<number, IntentRecord>
  /** Sum of the fees of all records. */
  fees: bigint
}

/** The records of one journal, with the coins and nonces that they own. */
export class Records {
  readonly #intents = new Map<string, KnownIntent>()
  /** The hash of the intent that an id stands for. */
  readonly #hashes = new Map<string, string>()
  readonly #nonces = new Map<string, IntentRecord>()
  readonly #outpoints = new Map<string, IntentRecord[]>()
  readonly #highestNonces = new Map<string, number>()
  readonly #highestChange = new Map<string, number>()

  /** Hash of the intent that has this id, for every part of it that was decided. */
  hashOf(id: string): string | undefined {
    return this.#hashes.get(id)
  }

  /**
   * Finds the record of an intent. A batch has a record for each part; the first item that belongs to a part decides.
   *
   * @param items - What a payload of a batch pays; null for every other kind.
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

  /** Base units of the native coin that an intent may cost, the most expensive attempt of each of its parts. */
  fees(intentHash: string): bigint {
    return this.#intents.get(intentHash)?.fees ?? 0n
  }

  /** Whose first payload uses this nonce. @param from - Lower case. */
  nonceOwner(chainId: number, from: string, nonce: number): IntentRecord | undefined {
    return this.#nonces.get(`${chainId}/${from}/${nonce}`)
  }

  /** The highest nonce of an account that anything was signed with; null while nothing was. @param from - Lower case. */
  highestNonce(chainId: number, from: string): number | null {
    return this.#highestNonces.get(`${chainId}/${from}`) ?? null
  }

  /** The highest index of change that was decided on a network; 0 while there was none. */
  highestChange(network: string): number {
    return this.#highestChange.get(network) ?? 0
  }

  /** Whose first payloads spend this outpoint: the first, and payments that people approved since. */
  outpointOwners(network: string, outpoint: string): readonly IntentRecord[] {
    return this.#outpoints.get(`${network}/${outpoint}`) ?? []
  }

  /** Takes in a decision. @returns Its record, a new one when there was none. */
  decided(entry: Decided): IntentRecord {
    const record = this.find(entry.intent_hash, entry.items ?? null) ?? this.#found(entry)
    if (!record.payloads.has(entry.payload_hash)) record.payloads.set(entry.payload_hash, null)
    const { conflict, change_index: change } = entry
    if (conflict.kind === 'utxo' && change !== undefined) {
      this.#highestChange.set(conflict.network, Math.max(change, this.highestChange(conflict.network)))
    }
    return record
  }

  /** Notes what an attempt that pays may cost. @returns By how much it is more than any attempt before it. */
  raiseFee(record: IntentRecord, fee: bigint): bigint {
    const more = fee - record.fee
    if (more <= 0n) return 0n
    record.fee = fee
    const known = this.#intents.get(record.intentHash)
    if (known) known.fees += more
    return more
  }

  /** Takes in where signed bytes lie. */
  signed(entry: Signed, place: SignedPlace): void {
    const record =
      entry.intent_hash === undefined
        ? this.#named(entry)
        : this.find(entry.intent_hash, entry.first_item == null ? null : [entry.first_item])
    record?.payloads.set(entry.payload_hash, place)
  }

  /** Lines were once written with a name alone, and a part was called `batch#first item`: the payload shows which is meant. */
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
      // Payments were once written without their kind.
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

/** How a record is named to people. */
export function recordName({ intent, firstItem }: IntentRecord): string {
  return firstItem === null ? intent : `item ${firstItem} of ${intent}`
}
