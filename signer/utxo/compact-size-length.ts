/** Returns the number of bytes of a CompactSize. */
export function compactSizeLength(value: number): number {
  return value < 0xfd ? 1 : value <= 0xffff ? 3 : 5
}
