/** What this signer has decided: the memory that makes a second payment impossible. */

import { createHash } from 'node:crypto'
import { isMovement } from '../../domain/payouts/treasury.js'
import { budgetKeys, cancelKey, countKey, fillingKey } from './account-name.js'
import { EMPTY_HEAD, entryHash, entrySchema, type JournalEntry, type NewJournalEntry } from './entry.js'
import { JournalFailure } from './journal-failure.js'
import type { JournalStore } from './journal-store.js'
import { type JournalLine, nextSequence, readJournal } from './read-journal.js'
import { type IntentRecord, Records } from './records.js'
import { RollingSum } from './rolling-sum.js'

/** Head and sequence of a journal. */
export interface JournalPosition {
  readonly head: string
  readonly sequence: number
  /** Time of the entry, ISO 8601 UTC. Absent where it is not known, and before the first entry. */
  readonly at?: string | undefined
}

/** Lines and bytes of a journal. */
interface JournalSize {
  readonly lines: number
  readonly bytes: number
  readonly bytesLastDay: number
}

/** An append-only, hash-chained journal with the indexes that checks ask. */
export class Journal {
  readonly #store: JournalStore
  readonly #now: () => number
  /** What was decided about each intent. */
  readonly records = new Records()
  readonly #spending = new Map<string, RollingSum>()
  readonly #hashes = new Map<number, string>()
  readonly #accepted = new Map<number, string>()
  #position: JournalPosition = { head: EMPTY_HEAD, sequence: 0 }
  #durable: JournalPosition = this.#position
  #length = 0
  #lines = 0
  readonly #growth = new RollingSum()
  #fence: number | null = null
  #lastAt = 0
  #failure: JournalFailure | null = null
  /** Bytes of a torn tail that were cut off when it was opened. */
  readonly tornBytes: number

  /**
   * Opens a journal.
   *
   * @param now - Milliseconds since the epoch.
   * @param mode - `read` leaves a torn tail alone: another process may be writing it.
   * @throws Error when the chain is damaged.
   */
  constructor(store: JournalStore, now: () => number = Date.now, mode: 'read' | 'write' = 'write') {
    this.#store = store
    this.#now = now
    const bytes = store.read()
    const { lines, goodLength } = readJournal(bytes)
    this.tornBytes = bytes.length - goodLength
    if (this.tornBytes > 0 && mode === 'write') this.#guard(() => store.truncate(goodLength))
    for (const line of lines) this.#index(line)
    this.#length = goodLength
    if (mode === 'write' && lines.length > 0) this.#guard(() => store.sync())
    this.#durable = this.#position
  }

  /** The last entry written. */
  get position(): JournalPosition {
    return this.#position
  }

  /** The last entry that survives a power cut: the platform gets this one. */
  get durable(): JournalPosition {
    this.#require()
    return this.#durable
  }

  /** Milliseconds of the last entry, 0 of an empty journal: it cannot be earlier now, also when a clock says so. */
  get lastAt(): number {
    return this.#lastAt
  }

  /** Milliseconds since the epoch, never before the last entry. */
  now(): number {
    return Math.max(this.#now(), this.#lastAt)
  }

  /** Milliseconds before which an intent that is not in the journal cannot be taken as new; null means no such time. */
  get fence(): number | null {
    return this.#fence
  }

  /**
   * Base units that were decided in the window before `now`, each intent once.
   *
   * @param key - `assetKey` of what was paid out, `cancelKey`, or one of `budgetKeys`.
   */
  spent(key: string, now: number): bigint {
    return this.#spending.get(key)?.total(now) ?? 0n
  }

  /** How large it is, and what the 24 hours before `now` added. */
  size(now: number): JournalSize {
    return { lines: this.#lines, bytes: this.#length, bytesLastDay: Number(this.#growth.total(now)) }
  }

  /** Whether this entry is here, or was accepted by the operator as lost. */
  knows(position: JournalPosition): boolean {
    if (position.sequence === 0) return position.head === EMPTY_HEAD
    return (
      this.#hashes.get(position.sequence) === position.head ||
      this.#accepted.get(position.sequence) === position.head
    )
  }

  /** The signed bytes of a payload, if it came to that. */
  signedTransaction(record: IntentRecord, payloadHash: string): { raw: string; hash: string } | null {
    const place = record.payloads.get(payloadHash)
    if (!place) return null
    return this.#guard(() => {
      const line = this.#store.readAt(place.offset, place.length).toString('utf8')
      const entry = JSON.parse(line) as JournalEntry
      if (entry.type !== 'signed') throw new Error('The journal does not hold what it should')
      if (createHash('sha256').update(entry.signed_transaction).digest('hex') !== entry.signed_hash) {
        throw new Error('Signed bytes in the journal are damaged')
      }
      return { raw: entry.signed_transaction, hash: entry.transaction_hash }
    })
  }

  /**
   * Appends an entry; it counts at once and is durable after `sync`.
   *
   * @param notBefore - Milliseconds of a time that has passed for certain, though the clock may be behind it.
   * @throws Error when the entry could not be read again; it is then not written.
   * @throws JournalFailure when it may not be written, or only in part: the process must then end.
   */
  append(entry: NewJournalEntry, notBefore = 0): void {
    // An unlock jumps over the sequences that the platform knows and this journal lost.
    const sequence = nextSequence(entry, this.#position.sequence)
    if (Number.isNaN(sequence)) throw new Error('The sequence to go on from is too far from this journal')
    const full = entrySchema.parse({
      sequence,
      previous: this.#position.head,
      at: new Date(Math.max(this.now(), notBefore)).toISOString(),
      ...entry,
    })
    const text = Buffer.from(JSON.stringify(full))
    this.#guard(() => this.#store.append(Buffer.concat([text, Buffer.from('\n')])))
    this.#index({ entry: full, hash: entryHash(text), offset: this.#length, length: text.length })
    this.#length += text.length + 1
  }

  /** Returns when everything appended is durable. @throws JournalFailure when it may not be: the process must then end. */
  sync(): void {
    this.#guard(() => this.#store.sync())
    this.#durable = this.#position
  }

  close(): void {
    this.#store.close()
  }

  /** After the first error nothing is known of the disk: a second try might succeed and stand behind half a line. */
  #guard<T>(use: () => T): T {
    this.#require()
    try {
      return use()
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown'
      this.#failure = new JournalFailure(`The journal failed: ${reason}`, { cause: error })
      throw this.#failure
    }
  }

  #require(): void {
    if (!this.#failure) return
    throw new JournalFailure(`The journal cannot be used any more. ${this.#failure.message}`, {
      cause: this.#failure,
    })
  }

  #index({ entry, hash, offset, length }: JournalLine): void {
    this.#lastAt = Math.max(this.#lastAt, Date.parse(entry.at))
    this.#position = { head: hash, sequence: entry.sequence, at: entry.at }
    this.#hashes.set(entry.sequence, hash)
    this.#lines++
    this.#growth.add(Date.parse(entry.at), BigInt(length + 1))
    switch (entry.type) {
      case 'decided':
        this.#indexDecision(entry)
        break
      case 'signed':
        this.records.signed(entry, { offset, length })
        break
      case 'enrolled':
      case 'restored':
        this.#fence = this.#lastAt
        break
      case 'unlocked':
        this.#fence = this.#lastAt
        this.#accepted.set(entry.known_sequence, entry.known_head)
        break
    }
  }

  #indexDecision(entry: Extract<JournalEntry, { type: 'decided' }>): void {
    const record = this.records.decided(entry)
    if (entry.purpose === 'cancel') this.#countCancel(entry, record)
    else this.#countPayout(entry, record)
  }

  #countPayout(entry: Extract<JournalEntry, { type: 'decided' }>, record: IntentRecord): void {
    const isNew = !record.paid
    record.paid = true
    const more = this.records.raiseFee(record, BigInt(entry.fee))
    if (isMovement(record.kind)) this.#countMovement(entry, isNew, more)
    else if (isNew) this.#count(entry.asset, entry.at, BigInt(entry.amount))
  }

  /** Of several that cancel one payout at most one is ever mined: the highest fee counts. */
  #countCancel(entry: Extract<JournalEntry, { type: 'decided' }>, record: IntentRecord): void {
    const caip2 = entry.asset.slice(0, entry.asset.lastIndexOf('/'))
    // It opened the record: there was nothing of this intent before.
    if (record.payloads.size === 1) this.#count(fillingKey(caip2), entry.at, 1n)
    const more = BigInt(entry.fee) - record.cancelFee
    if (more <= 0n) return
    record.cancelFee += more
    this.#count(cancelKey(caip2), entry.at, more)
  }

  /** Movements pay no outsider: their fees and the gas they give count in budgets of their own. */
  #countMovement(entry: Extract<JournalEntry, { type: 'decided' }>, isNew: boolean, more: bigint): void {
    const caip2 = entry.asset.slice(0, entry.asset.lastIndexOf('/'))
    const keys = budgetKeys(caip2)
    if (more > 0n) this.#count(keys.fees, entry.at, more)
    if (isNew && entry.kind && isMovement(entry.kind)) this.#count(countKey(caip2, entry.kind), entry.at, 1n)
    if (isNew && entry.kind === 'gas_funding') this.#count(keys.gas, entry.at, BigInt(entry.amount))
  }

  #count(key: string, at: string, amount: bigint): void {
    const sum = this.#spending.get(key) ?? new RollingSum()
    sum.add(Date.parse(at), amount)
    this.#spending.set(key, sum)
  }
}
