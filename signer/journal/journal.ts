/** Keeps every decision of this signer, so that it cannot pay an intent twice. */

import { createHash } from 'node:crypto'
import { isMovement } from '../../domain/payouts/treasury.js'
import { budgetKeys, cancelKey, countKey, fillingKey } from './account-name.js'
import { EMPTY_HEAD, entryHash, entrySchema, type JournalEntry, type NewJournalEntry } from './entry.js'
import { JournalFailure } from './journal-failure.js'
import type { JournalStore } from './journal-store.js'
import { type JournalLine, nextSequence, readJournal } from './read-journal.js'
import { type IntentRecord, Records } from './records.js'
import { RollingSum } from './rolling-sum.js'

/** Position in a journal: the hash and sequence of an entry. */
export interface JournalPosition {
  readonly head: string
  readonly sequence: number
  /** Time of the entry, ISO 8601 UTC. Absent where it is not known, and before the first entry. */
  readonly at?: string | undefined
}

/** Size of a journal. */
interface JournalSize {
  readonly lines: number
  readonly bytes: number
  readonly bytesLastDay: number
}

/** An append-only, hash-chained journal with the indexes that the checks need. */
export class Journal {
  readonly #store: JournalStore
  readonly #now: () => number
  /** Decisions about each intent. */
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
  /** Bytes of an unfinished last line that was cut off when the journal was opened. */
  readonly tornBytes: number

  /**
   * Opens a journal.
   *
   * @param now - Returns milliseconds since the epoch.
   * @param mode - `read` leaves an unfinished last line alone, because another process may be writing it.
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

  /** Position of the last entry that was written. */
  get position(): JournalPosition {
    return this.#position
  }

  /** Position of the last entry that survives a power cut. Only this one is reported to the platform. */
  get durable(): JournalPosition {
    this.#require()
    return this.#durable
  }

  /**
   * Time of the last entry in milliseconds, which is a lower bound for the present. 0 for an empty journal.
   */
  get lastAt(): number {
    return this.#lastAt
  }

  /** Returns the present in milliseconds since the epoch, never before the last entry. */
  now(): number {
    return Math.max(this.#now(), this.#lastAt)
  }

  /**
   * Time in milliseconds up to which an intent that is not in the journal is not taken as new. `null` without
   * a fence.
   */
  get fence(): number | null {
    return this.#fence
  }

  /**
   * Returns the base units that were decided in the window before `now`, with each intent counted once.
   *
   * @param key - Name from `account-name.ts`.
   */
  spent(key: string, now: number): bigint {
    return this.#spending.get(key)?.total(now) ?? 0n
  }

  /** Returns the size of the journal, and its growth in the 24 hours before `now`. */
  size(now: number): JournalSize {
    return { lines: this.#lines, bytes: this.#length, bytesLastDay: Number(this.#growth.total(now)) }
  }

  /** Returns whether the entry is here, or the operator accepted that it is lost. */
  knows(position: JournalPosition): boolean {
    if (position.sequence === 0) return position.head === EMPTY_HEAD
    return (
      this.#hashes.get(position.sequence) === position.head ||
      this.#accepted.get(position.sequence) === position.head
    )
  }

  /** Returns the signed bytes of a payload. `null` when it was decided but not signed. */
  signedTransaction(record: IntentRecord, payloadHash: string): { raw: string; hash: string } | null {
    const place = record.payloads.get(payloadHash)
    if (!place) return null
    return this.#guard(() => {
      const line = this.#store.readAt(place.offset, place.length).toString('utf8')
      const entry = JSON.parse(line) as JournalEntry
      if (entry.type !== 'signed') throw new Error('The journal holds another entry at this place')
      if (createHash('sha256').update(entry.signed_transaction).digest('hex') !== entry.signed_hash) {
        throw new Error('Signed bytes in the journal are damaged')
      }
      return { raw: entry.signed_transaction, hash: entry.transaction_hash }
    })
  }

  /**
   * Appends an entry. It counts at once and is durable after `sync`.
   *
   * @param notBefore - Time in milliseconds that has certainly passed, although the clock may be behind it.
   * @throws Error when the entry could not be read again. It is then not written.
   * @throws JournalFailure when the entry may be missing, or written only in part. The process must then end.
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

  /**
   * Returns when all appended entries are durable.
   *
   * @throws JournalFailure when they may not be. The process must then end.
   */
  sync(): void {
    this.#guard(() => this.#store.sync())
    this.#durable = this.#position
  }

  close(): void {
    this.#store.close()
  }

  /**
   * Runs a step on the disk. After the first error the state of the disk is unknown, and a second try might
   * succeed behind half a line, so all further steps are refused.
   */
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

  /**
   * Counts a cancellation. At most one of several cancellations of a payout is ever mined, so only the
   * highest fee counts.
   */
  #countCancel(entry: Extract<JournalEntry, { type: 'decided' }>, record: IntentRecord): void {
    const caip2 = entry.asset.slice(0, entry.asset.lastIndexOf('/'))
    // The record has no other payload, so this cancellation fills a nonce that no payout used.
    if (record.payloads.size === 1) this.#count(fillingKey(caip2), entry.at, 1n)
    const more = BigInt(entry.fee) - record.cancelFee
    if (more <= 0n) return
    record.cancelFee += more
    this.#count(cancelKey(caip2), entry.at, more)
  }

  /**
   * Counts a movement. It pays no outsider, so its fee and the gas that it gives have budgets of their own.
   */
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
