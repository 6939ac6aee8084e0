/** Keeps the witness in a file, best on a disk of its own. */

import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fdatasync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { isIsoTime } from '../../domain/iso-time.js'
import { writeFileAtomically } from '../home/write-file-atomically.js'
import type { JournalPosition } from './journal.js'
import { guardWitness, isSamePosition, type Witness, WitnessMismatch } from './witness.js'

/**
 * Size of one record's block. Two records are written in turn, so a power cut during one leaves the other.
 */
const BLOCK_BYTES = 4_096
const RECORDS = 2

const OTHER_WRITER = 'something else has written it: a copy of this home may be in use'

const sync = promisify(fdatasync)

const recordSchema = z.strictObject({
  keyturn_witness: z.literal(1),
  head: z.string().regex(/^[0-9a-f]{64}$/),
  sequence: z.int().min(0),
  /** Time of the entry. Absent in records of older signers, and before the first entry. */
  at: z.string().refine(isIsoTime).optional(),
  check: z.string(),
})

/**
 * Opens a witness that keeps the position in the file at `place`. Overwriting a record costs one sync. Before
 * each write it compares the file with what it wrote last: another writer means that a copy of this home is
 * in use, and this process must end.
 */
export function openFileWitness(place: string): Witness {
  let file: number | null = null
  let seen: Buffer = Buffer.alloc(0)

  function open(): boolean {
    if (file !== null) return true
    try {
      file = openSync(place, 'r+')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
      throw error
    }
    seen = content(file)
    return true
  }

  function create(position: JournalPosition): void {
    if (file !== null) closeSync(file)
    file = null
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 })
    const record = recordOf(position)
    writeFileAtomically(place, Buffer.concat([record, record]).toString('utf8'))
    open()
  }

  async function overwrite(opened: number, record: Buffer, at: number): Promise<void> {
    const [there, path] = [fstatSync(opened), statSync(place)]
    if (there.ino !== path.ino || there.dev !== path.dev || !content(opened).equals(seen)) {
      throw new Error(OTHER_WRITER)
    }
    for (let written = 0; written < record.length; ) {
      written += writeSync(opened, record, written, record.length - written, at + written)
    }
    await sync(opened)
    const after = Buffer.alloc(Math.max(seen.length, at + record.length))
    seen.copy(after)
    record.copy(after, at)
    // Bytes that another process wrote meanwhile must not count as seen.
    if (!content(opened).equals(after)) throw new Error(OTHER_WRITER)
    seen = after
  }

  return {
    place,
    read: () =>
      guardWitness(place, async () => {
        if (!open()) return null
        const known = newest(seen)
        if (known === null) {
          throw new WitnessMismatch(
            `Neither record of the witness ${place} holds: it was damaged, or the witness was moved away from there`,
            null,
          )
        }
        return known.position
      }),
    write: (position) =>
      guardWitness(place, async () => {
        const known = open() ? newest(seen) : null
        if (known && isSamePosition(known.position, position)) return
        if (file === null || known === null || position.sequence <= known.position.sequence) {
          return create(position)
        }
        await overwrite(file, recordOf(position), known.at === 0 ? BLOCK_BYTES : 0)
      }),
  }
}

/**
 * Overwrites a file that is not the witness any more, so that a copy of the home that still names it is
 * locked. The copy would otherwise agree with the head in it, without knowing what was signed since.
 */
export function retireFileWitness(place: string): void {
  if (!existsSync(place)) return
  const record = `${JSON.stringify({ keyturn_witness: 'moved' }).padEnd(BLOCK_BYTES - 1)}\n`
  writeFileAtomically(place, record.repeat(RECORDS))
}

function content(file: number): Buffer {
  const bytes = Buffer.alloc(RECORDS * BLOCK_BYTES)
  return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0))
}

function recordOf(position: JournalPosition): Buffer {
  const { head, sequence, at } = position
  const text = JSON.stringify({ keyturn_witness: 1, head, sequence, at, check: checkOf(position) })
  return Buffer.from(`${text.padEnd(BLOCK_BYTES - 1)}\n`)
}

/** Returns the checksum that detects a record that a power cut left half written. */
function checkOf({ head, sequence, at }: JournalPosition): string {
  const text = [head, sequence, ...(at === undefined ? [] : [at])].join('\n')
  return createHash('sha256').update(`keyturn-witness-v1\n${text}`).digest('hex').slice(0, 32)
}

function newest(bytes: Buffer): { readonly position: JournalPosition; readonly at: number } | null {
  const records = [0, BLOCK_BYTES].flatMap((at) => {
    const position = parse(bytes.subarray(at, at + BLOCK_BYTES))
    return position ? [{ position, at }] : []
  })
  const [first, second] = records
  return first && second && second.position.sequence > first.position.sequence ? second : (first ?? null)
}

function parse(bytes: Buffer): JournalPosition | null {
  try {
    const {
      keyturn_witness: _version,
      check,
      ...position
    } = recordSchema.parse(JSON.parse(bytes.toString('utf8')))
    return check === checkOf(position) ? position : null
  } catch {
    return null
  }
}
