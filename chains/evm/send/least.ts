/** Returns the smallest of some amounts (`Math.min` takes no bigint). */
export function least(first: bigint, ...others: readonly bigint[]): bigint {
  let smallest = first
  for (const each of others) if (each < smallest) smallest = each
  return smallest
}
