/** Reads one file out of a zip archive. */

import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'

const END_OF_DIRECTORY = 0x06054b50
const DIRECTORY_ENTRY = 0x02014b50
const STORED = 0
const DEFLATED = 8
/** Limit of an entry, far above the largest executable. */
const MAX_BYTES = 1 << 30

/**
 * Reads one file out of a zip archive, for which Node has the compression alone. It checks no checksum: the
 * caller compares a hash. @throws Error when the archive lacks the file, or stores it in another way than
 * archives of less than 4 GiB do.
 */
export async function readZipEntry(archive: Buffer, name: string): Promise<Buffer> {
  // A comment of at most 64 KiB may follow the record, so the last one in the archive is the right one.
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  if (end < 0 || archive.readUInt32LE(end) !== END_OF_DIRECTORY) throw new Error('it is no zip archive')
  const count = archive.readUInt16LE(end + 10)
  let at = archive.readUInt32LE(end + 16)
  for (let index = 0; index < count; index += 1) {
    if (archive.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new Error('its directory is damaged')
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) =>
      archive.readUInt16LE(at + offset),
    ) as [number, number, number]
    if (archive.toString('utf8', at + 46, at + 46 + nameBytes) === name) {
      return unpack(archive, {
        method: archive.readUInt16LE(at + 10),
        packed: archive.readUInt32LE(at + 20),
        size: archive.readUInt32LE(at + 24),
        offset: archive.readUInt32LE(at + 42),
      })
    }
    at += 46 + nameBytes + extraBytes + commentBytes
  }
  throw new Error(`it has no ${name}`)
}

async function unpack(
  archive: Buffer,
  entry: { readonly method: number; readonly packed: number; readonly size: number; readonly offset: number },
): Promise<Buffer> {
  if (entry.size > MAX_BYTES) throw new Error(`its file is larger than ${MAX_BYTES} bytes`)
  // The local header has its own lengths of name and extra field.
  const start =
    entry.offset + 30 + archive.readUInt16LE(entry.offset + 26) + archive.readUInt16LE(entry.offset + 28)
  const packed = archive.subarray(start, start + entry.packed)
  if (entry.method === STORED) return packed
  if (entry.method !== DEFLATED) throw new Error(`compression method ${entry.method} is not known`)
  return promisify(inflateRaw)(packed, { maxOutputLength: Math.max(entry.size, 1) })
}
