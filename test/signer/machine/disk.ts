/** Simulates a disk that fails at a chosen write, and remembers when each decision was written. */

import type { JournalStore } from '../../../signer/journal/journal-store.js'

/** A decision in the journal. */
export interface Mark {
  /** Time by the signer's clock, which no write sets back. */
  readonly at: number
  /** Place of the end of its line. */
  readonly end: number
  readonly id: string
  readonly intentHash: string
  readonly payloadHash: string
  readonly items: readonly number[] | null
  readonly purpose: 'pay' | 'cancel'
  /** Counts the claims of the run. */
  readonly claim: number
}

/** Content of a disk. */
export interface Content {
  readonly bytes: Buffer
  readonly marks: readonly Mark[]
  /** Latest time of a write. */
  readonly lastAt: number
}

/** The next failure, in this call after so many calls. */
export interface Fault {
  readonly calls: number
  readonly how: 'append' | 'half' | 'whole' | 'sync'
}

/** Returns the time of a line that accepts a loss. The witness knows it, although the clock may be behind. */
function acceptedAt(line: Buffer): number {
  const entry = JSON.parse(line.toString('utf8'))
  return entry.type === 'unlocked' ? Date.parse(entry.at) : 0
}

/** Keeps bytes in memory. */
export class Disk implements JournalStore {
  #bytes: Buffer = Buffer.alloc(0)
  #times: { readonly end: number; readonly at: number }[] = []
  #synced = 0
  #left = 0
  #fault: Fault['how'] | null = null
  #marks: Mark[] = []
  readonly #clock: () => number
  /** Counts the claims of the run. */
  claim = 0

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** Decisions with a whole line. */
  get marks(): readonly Mark[] {
    return this.#marks
  }

  /** Number of bytes that survive a power cut. */
  get synced(): number {
    return this.#synced
  }

  get lastAt(): number {
    return this.#times.reduce((latest, { at }) => Math.max(latest, at), 0)
  }

  fail(fault: Fault | null): void {
    this.#fault = fault?.how ?? null
    this.#left = fault?.calls ?? 0
  }

  copy(): Content {
    return { bytes: Buffer.from(this.#bytes), marks: [...this.#marks], lastAt: this.lastAt }
  }

  putBack({ bytes, marks, lastAt }: Content): void {
    this.#bytes = Buffer.from(bytes)
    this.#marks = [...marks]
    this.#times = [{ end: 0, at: lastAt }]
    this.#synced = bytes.length
    this.#fault = null
  }

  /**
   * Ends the process.
   *
   * @param kept - Share of the bytes without a sync that are there afterwards, from 0 to 1.
   */
  cut(kept: number): void {
    this.truncate(this.#synced + Math.floor((this.#bytes.length - this.#synced) * kept))
    this.#synced = this.#bytes.length
    this.#fault = null
  }

  read(): Buffer {
    return Buffer.from(this.#bytes)
  }

  append(bytes: Buffer): void {
    const how = this.#due('append', 'half', 'whole')
    if (how === 'append') throw new Error('ENOSPC: no space left on device')
    if (how === 'half') {
      this.#bytes = Buffer.concat([this.#bytes, bytes.subarray(0, bytes.length >> 1)])
      throw new Error('ENOSPC: no space left on device')
    }
    const at = Math.max(this.#clock(), this.lastAt, acceptedAt(bytes))
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    this.#times.push({ end: this.#bytes.length, at })
    this.#note(bytes, at)
    if (how === 'whole') throw new Error('EIO: i/o error, write')
  }

  sync(): void {
    if (this.#due('sync')) throw new Error('EIO: i/o error, fsync')
    this.#synced = this.#bytes.length
  }

  readAt(offset: number, length: number): Buffer {
    return this.#bytes.subarray(offset, offset + length)
  }

  truncate(length: number): void {
    this.#bytes = this.#bytes.subarray(0, length)
    this.#marks = this.#marks.filter(({ end }) => end <= length)
    this.#times = this.#times.filter(({ end }) => end <= length)
    this.#synced = Math.min(this.#synced, length)
  }

  close(): void {}

  #due(...calls: Fault['how'][]): Fault['how'] | null {
    if (this.#fault === null || !calls.includes(this.#fault)) return null
    if (this.#left-- > 0) return null
    return this.#fault
  }

  #note(line: Buffer, at: number): void {
    const entry = JSON.parse(line.toString('utf8'))
    if (entry.type !== 'decided') return
    this.#marks.push({
      at,
      end: this.#bytes.length,
      id: entry.intent,
      intentHash: entry.intent_hash,
      payloadHash: entry.payload_hash,
      items: entry.items ?? null,
      purpose: entry.purpose,
      claim: this.claim,
    })
  }
}
