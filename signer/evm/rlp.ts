/** Reads and writes RLP (Ethereum yellow paper, appendix B). It reads canonical encodings only. */

export type RlpItem = Uint8Array | readonly RlpItem[]

/** Encodes bytes and lists. */
export function encodeRlp(item: RlpItem): Buffer {
  if (item instanceof Uint8Array) {
    if (item.length === 1 && (item[0] ?? 0) < 0x80) return Buffer.from(item)
    return Buffer.concat([header(item.length, 0x80), item])
  }
  return encodeRlpList(item.map(encodeRlp))
}

/** Encodes a list whose items are encoded already. */
export function encodeRlpList(encoded: readonly Uint8Array[]): Buffer {
  const length = encoded.reduce((sum, item) => sum + item.length, 0)
  return Buffer.concat([header(length, 0xc0), ...encoded])
}

/** Decodes exactly one item. @throws RangeError when the encoding is not canonical or has trailing bytes. */
export function decodeRlp(bytes: Uint8Array): RlpItem {
  const [item, end] = decodeAt(bytes, 0, bytes.length)
  if (end !== bytes.length) throw new RangeError('Bytes follow the RLP item')
  return item
}

/** Returns a non-negative integer as RLP has it: big-endian without leading zeros, and zero as no byte. */
export function integerBytes(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array(0)
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
}

function header(length: number, offset: number): Buffer {
  if (length < 56) return Buffer.from([offset + length])
  const size = integerBytes(BigInt(length))
  return Buffer.concat([Buffer.from([offset + 55 + size.length]), size])
}

function decodeAt(bytes: Uint8Array, start: number, end: number): [RlpItem, number] {
  const first = bytes[start]
  if (first === undefined || start >= end) throw new RangeError('The RLP ends too early')
  if (first < 0x80) return [bytes.subarray(start, start + 1), start + 1]
  const isList = first >= 0xc0
  const [from, length] = decodeLength(bytes, start, first - (isList ? 0xc0 : 0x80))
  const to = from + length
  if (to > end) throw new RangeError('The RLP ends too early')
  if (!isList) {
    if (length === 1 && (bytes[from] ?? 0) < 0x80)
      throw new RangeError('A byte is not in its shortest RLP form')
    return [bytes.subarray(from, to), to]
  }
  const items: RlpItem[] = []
  let cursor = from
  while (cursor < to) {
    const [item, next] = decodeAt(bytes, cursor, to)
    items.push(item)
    cursor = next
  }
  return [items, to]
}

function decodeLength(bytes: Uint8Array, start: number, short: number): [number, number] {
  if (short < 56) return [start + 1, short]
  const size = short - 55
  let length = 0
  for (let i = 1; i <= size; i++) length = length * 256 + (bytes[start + i] ?? 0)
  if (size > 6 || length < 56 || bytes[start + 1] === 0)
    throw new RangeError('An RLP length is not canonical')
  return [start + 1 + size, length]
}
