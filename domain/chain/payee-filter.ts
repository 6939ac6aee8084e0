/** Keeps a compact set of payees in memory, which never forgets one and rarely takes another for one. */

export interface PayeeFilter {
  /** Number of payees that were added. One that looked as if it was there before does not count. */
  readonly size: number
  /** Number of payees up to which few others are taken for one: at most one of forty. */
  readonly capacity: number
  /** Adds the payee whose first 8 bytes are these two big-endian words. */
  add(high: number, low: number): void
  /** Returns whether the payee may have been added. `payee` is lower-case hex of the 20 bytes, without 0x. */
  mayHave(payee: string): boolean
}

/** Bits a payee when the filter is full. Half full, one payee of four hundred is a false positive. */
const BITS = 8
const LEAST_BITS = 2 ** 16
/** Bits that 32-bit arithmetic can address, for 512 million payees. More make it less selective. */
const MOST_BITS = 2 ** 32
const PROBES = 4

/**
 * Creates an empty Bloom filter. The first 8 bytes of a payee, which are distributed uniformly, are its two
 * hashes.
 *
 * @param capacity - The least capacity. It is rounded up to a power of two.
 */
export function createPayeeFilter(capacity: number): PayeeFilter {
  let bits = LEAST_BITS
  while (bits < capacity * BITS && bits < MOST_BITS) bits *= 2
  const words = new Uint32Array(bits / 32)
  const mask = bits - 1
  let size = 0

  return {
    get size() {
      return size
    },
    capacity: bits / BITS,
    add(high, low) {
      const step = low | 1
      let at = high
      let missing = 0
      for (let probe = 0; probe < PROBES; probe++) {
        const bit = (at & mask) >>> 0
        const word = words[bit >>> 5] ?? 0
        const flag = 1 << (bit & 31)
        missing |= ~word & flag
        words[bit >>> 5] = word | flag
        at = (at + step) | 0
      }
      if (missing !== 0) size += 1
    },
    mayHave(payee) {
      const step = Number.parseInt(payee.slice(8, 16), 16) | 1
      let at = Number.parseInt(payee.slice(0, 8), 16)
      for (let probe = 0; probe < PROBES; probe++) {
        const bit = (at & mask) >>> 0
        if (((words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false
        at = (at + step) | 0
      }
      return true
    },
  }
}
