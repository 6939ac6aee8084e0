/** Reads Bitcoin's serialised integers and strings. It throws on bytes that are missing or not canonical. */

/** A cursor over bytes. @throws RangeError on reading past the end or on a non-minimal compact size. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  u8(): number {
    return this.#view.getUint8(this.#move(1))
  }

  u32(): number {
    return this.#view.getUint32(this.#move(4), true)
  }

  i32(): number {
    return this.#view.getInt32(this.#move(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#move(8), true)
  }

  /** Returns the next `length` bytes without a copy. */
  take(length: number): Uint8Array {
    const start = this.#move(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Skips the next `length` bytes. */
  skip(length: number): void {
    this.#move(length)
  }

  /** Reads a compact size. Only its shortest form is accepted, so that a value has one serialisation. */
  compactSize(): number {
    const first = this.u8()
    if (first < 0xfd) return first
    const value =
      first === 0xfd
        ? this.#view.getUint16(this.#move(2), true)
        : first === 0xfe
          ? this.u32()
          : Number(this.u64())
    const least = first === 0xfd ? 0xfd : first === 0xfe ? 0x1_0000 : 0x1_0000_0000
    if (value < least) throw new RangeError('A compact size is not minimal')
    return value
  }

  /** Reads a compact size and that many bytes. */
  takeSized(): Uint8Array {
    return this.take(this.compactSize())
  }

  #move(length: number): number {
    const start = this.#offset
    if (start + length > this.#bytes.length) throw new RangeError('The bytes end too early')
    this.#offset = start + length
    return start
  }
}
