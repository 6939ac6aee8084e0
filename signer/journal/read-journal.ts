/** Reads a journal's lines, verifies the chain, and leaves out a last line that a crash left unfinished. */

import { EMPTY_HEAD, entryHash, entrySchema, type JournalEntry, MAX_JUMP } from './entry.js'

/** A valid line, and its place in the file. */
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
 * Bytes after the last newline are dropped: the signer acts on a line only after the sync that follows its
 * newline. A line that ends in a newline is never dropped, also not the last one. It is valid, or the journal
 * does not open.
 *
 * @returns The lines, and the length in bytes up to which the journal is valid.
 * @throws Error that names the damaged line.
 */
export function readJournal(bytes: Buffer): { readonly lines: JournalLine[]; readonly goodLength: number } {
  const lines: JournalLine[] = []
  let offset = 0
  let head = EMPTY_HEAD
  let sequence = 0
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, offset)) {
    const text = bytes.subarray(offset, end)
    const entry = parseLine(text)
    if (!entry || !follows(entry, head, sequence)) {
      throw new Error(`The journal is damaged at line ${lines.length + 1}: put its newest copy back`)
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
  return entry.previous === head && entry.sequence === nextSequence(entry, sequence)
}

/** Returns the place of an entry in the chain. NaN when an `unlocked` entry would jump too far. */
export function nextSequence(
  entry: Pick<JournalEntry, 'type'> & { readonly known_sequence?: number },
  sequence: number,
): number {
  if (entry.type !== 'unlocked') return sequence + 1
  const known = entry.known_sequence ?? Number.NaN
  return known - sequence > MAX_JUMP ? Number.NaN : Math.max(sequence, known) + 1
}
