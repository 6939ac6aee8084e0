/** Reads a journal's lines, verifies the chain and cuts off what a crash left half written. */

import { EMPTY_HEAD, entryHash, entrySchema, type JournalEntry } from './entry.js'

/** A line that holds, and where it lies. */
export interface JournalLine {
  readonly entry: JournalEntry
  readonly hash: string
  readonly offset: number
  readonly length: number
}

const NEWLINE = 0x0a

/**
 * Reads all lines.
 *
 * A torn tail is dropped: a line is acted upon only after the sync that follows it, newline included, so a line that is not
 * whole was never acted upon (and should more be missing, the platform knows a head that is ahead, and the signer locks).
 * A line that does not fit while later ones do is damage, not a crash.
 *
 * @returns The lines, and the length in bytes up to which the journal is good.
 * @throws Error that names the line at which the journal is damaged.
 */
export function readJournal(bytes: Buffer): { readonly lines: JournalLine[]; readonly goodLength: number } {
  const lines: JournalLine[] = []
  let offset = 0
  let head = EMPTY_HEAD
  let sequence = 0
  while (offset < bytes.length) {
    const end = bytes.indexOf(NEWLINE, offset)
    const text = end === -1 ? null : bytes.subarray(offset, end)
    const entry = text && parseLine(text)
    if (!text || !entry || !follows(entry, head, sequence)) {
      if (hasWholeLine(bytes.subarray(end === -1 ? bytes.length : end + 1)) || (entry && text)) {
        throw new Error(`The journal is damaged at line ${lines.length + 1}: restore it from a backup`)
      }
      return { lines, goodLength: offset }
    }
    head = entryHash(text)
    sequence = entry.sequence
    lines.push({ entry, hash: head, offset, length: text.length })
    offset = end + 1
  }
  return { lines, goodLength: offset }
}

function parseLine(text: Buffer): JournalEntry | null {
  try {
    const parsed = entrySchema.safeParse(JSON.parse(text.toString('utf8')))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

function follows(entry: JournalEntry, head: string, sequence: number): boolean {
  if (entry.previous !== head) return false
  return entry.type === 'unlocked' ? entry.sequence > sequence : entry.sequence === sequence + 1
}

function hasWholeLine(bytes: Buffer): boolean {
  let offset = 0
  for (;;) {
    const end = bytes.indexOf(NEWLINE, offset)
    if (end === -1) return false
    if (parseLine(bytes.subarray(offset, end))) return true
    offset = end + 1
  }
}
