/** Writes and reads the integers and sized buffers of TPM 2.0 structures, which are all big-endian. */

export function u8(value: number): Buffer {
  return Buffer.from([value])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Returns the bytes behind their length in two bytes (`TPM2B`). */
export function sized(bytes: Buffer): Buffer {
  return Buffer.concat([u16(bytes.length), bytes])
}

/** Reader of a TPM's structure. Each call takes the next bytes. @throws RangeError after the end. */
export interface TpmReader {
  u8(): number
  u16(): number
  u32(): number
  take(length: number): Buffer
  sized(): Buffer
}

/** Reads a structure from its beginning. */
export function readTpm(bytes: Buffer): TpmReader {
  let at = 0
  const take = (length: number) => {
    if (at + length > bytes.length) throw new RangeError('the TPM gave a response that ends too early')
    at += length
    return bytes.subarray(at - length, at)
  }
  return {
    take,
    u8: () => take(1).readUInt8(),
    u16: () => take(2).readUInt16BE(),
    u32: () => take(4).readUInt32BE(),
    sized: () => take(take(2).readUInt16BE()),
  }
}
