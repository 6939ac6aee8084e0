/**
 * Writes a MaxMind database (format 2.0, IPv4) of a few networks, so that tests use the real reader on a real
 * file.
 */

import { writeFile } from 'node:fs/promises'

const METADATA_MARKER = Buffer.from('abcdef4d61784d696e642e636f6d', 'hex')
const RECORD_BITS = 24
/** Separates the tree from the data. */
const SEPARATOR = Buffer.alloc(16)

type Value =
  | string
  | readonly Value[]
  | { readonly [key: string]: Value }
  | { readonly bits: 16 | 32; readonly of: number }

/** Writes the file. @param countries - ISO code by the first octet of an IPv4 address. */
export async function writeGeoipFile(
  path: string,
  countries: Readonly<Record<number, string>>,
): Promise<void> {
  const data: Buffer[] = []
  const offsets = new Map<number, number>()
  let length = 0
  for (const [octet, iso_code] of Object.entries(countries)) {
    const record = encode({ country: { iso_code } })
    offsets.set(Number(octet), length)
    data.push(record)
    length += record.length
  }
  // A full tree of eight levels: node i has the children 2i + 1 and 2i + 2.
  const nodes = 255
  const tree = Buffer.alloc(nodes * 6)
  for (let node = 0; node < nodes; node++) {
    for (const side of [0, 1]) {
      const child = 2 * node + 1 + side
      const offset = child < nodes ? null : (offsets.get(child - nodes) ?? undefined)
      const value = offset === null ? child : offset === undefined ? nodes : nodes + SEPARATOR.length + offset
      tree.writeUIntBE(value, node * 6 + side * 3, 3)
    }
  }
  const metadata = encode({
    node_count: { bits: 32, of: nodes },
    record_size: { bits: 16, of: RECORD_BITS },
    ip_version: { bits: 16, of: 4 },
    database_type: 'Test-Country',
    languages: [],
    binary_format_major_version: { bits: 16, of: 2 },
    binary_format_minor_version: { bits: 16, of: 0 },
    build_epoch: { bits: 32, of: 1_700_000_000 },
    description: {},
  })
  await writeFile(path, Buffer.concat([tree, SEPARATOR, ...data, METADATA_MARKER, metadata]))
}

function encode(value: Value): Buffer {
  if (typeof value === 'string')
    return Buffer.concat([Buffer.from([(2 << 5) | value.length]), Buffer.from(value)])
  if (Array.isArray(value)) return Buffer.from([value.length, 11 - 7])
  if ('bits' in value && typeof value.of === 'number') {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value.of)
    const size = value.bits === 16 ? 2 : 4
    return Buffer.concat([Buffer.from([((value.bits === 16 ? 5 : 6) << 5) | size]), bytes.subarray(4 - size)])
  }
  const entries = Object.entries(value as { readonly [key: string]: Value })
  return Buffer.concat([
    Buffer.from([(7 << 5) | entries.length]),
    ...entries.flatMap(([key, each]) => [encode(key), encode(each)]),
  ])
}
