/** Keeps the bytes of a journal, in a file or in memory. */

import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'

/** Bytes to which the journal only appends. */
export interface JournalStore {
  /** Returns all bytes. */
  read(): Buffer
  /** Writes at the end. The bytes are not durable before `sync`. */
  append(bytes: Buffer): void
  /** Returns when all appended bytes survive a power cut. @throws Error when they may not. */
  sync(): void
  readAt(offset: number, length: number): Buffer
  truncate(length: number): void
  close(): void
}

/** Keeps the journal in a file (mode 600). */
export function openFileStore(path: string): JournalStore {
  const file = openSync(path, 'a+', 0o600)
  return {
    read: () => readFileSync(path),
    append(bytes) {
      let written = 0
      while (written < bytes.length) written += writeSync(file, bytes, written)
    },
    sync: () => fdatasyncSync(file),
    readAt(offset, length) {
      const bytes = Buffer.alloc(length)
      if (readSync(file, bytes, 0, length, offset) !== length) throw new Error('The journal ends too early')
      return bytes
    },
    truncate(length) {
      ftruncateSync(file, length)
      fdatasyncSync(file)
    },
    close: () => closeSync(file),
  }
}

/** Keeps the journal in memory, for benches and tests. */
export function openMemoryStore(initial: Buffer = Buffer.alloc(0)): JournalStore {
  let chunks: Buffer[] = [initial]
  const whole = () => {
    const bytes = Buffer.concat(chunks)
    chunks = [bytes]
    return bytes
  }
  return {
    read: whole,
    append: (bytes) => void chunks.push(bytes),
    sync: () => undefined,
    readAt: (offset, length) => whole().subarray(offset, offset + length),
    truncate: (length) => {
      chunks = [whole().subarray(0, length)]
    },
    close: () => undefined,
  }
}
