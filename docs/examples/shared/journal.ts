/** Keeps what happened in a file, one line of JSON each, so that no answered request is ever lost. */

import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface Journal<Entry> {
  /** What the file held when it was opened, the oldest first. */
  readonly entries: readonly Entry[]
  /** Adds an entry. It is on the disk when this returns. */
  append(entry: Entry): void
  close(): void
}

/**
 * Opens the file for this process alone. A table with a transaction does the same where a backend has a
 * database, and where more than one process writes.
 */
export function openJournal<Entry>(path: string): Journal<Entry> {
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'a+', 0o600)
  const text = readFileSync(path)
  // A crash may leave half a line. Its writer never got an answer, so it is as if it was not written.
  const whole = text.lastIndexOf('\n') + 1
  if (whole < text.length) ftruncateSync(file, whole)
  const lines = text.subarray(0, whole).toString('utf8').split('\n').filter(Boolean)
  return {
    entries: lines.map((line) => JSON.parse(line) as Entry),
    append(entry) {
      const line = Buffer.from(`${JSON.stringify(entry)}\n`)
      if (writeSync(file, line) !== line.length) throw new Error(`${path} took only a part of a line`)
      fsyncSync(file)
    },
    close: () => closeSync(file),
  }
}
