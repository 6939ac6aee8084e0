/** Finds which outputs pay what was approved, in one pass however many there are. */

interface PaidOutput {
  readonly amount: bigint
  readonly script: Uint8Array
}

/**
 * Takes each wanted payment out of the outputs once: the same address twice must be paid twice.
 *
 * @returns What no output pays exactly, and the outputs that pay none of it.
 */
export function matchOutputs<Wanted extends PaidOutput, Output extends PaidOutput>(
  wanted: readonly Wanted[],
  outputs: readonly Output[],
): { readonly missing: readonly Wanted[]; readonly extra: readonly Output[] } {
  const unpaid = new Map<string, Wanted[]>()
  for (const each of wanted) {
    const key = keyOf(each)
    const equal = unpaid.get(key)
    if (equal) equal.push(each)
    else unpaid.set(key, [each])
  }
  const extra = outputs.filter((output) => unpaid.get(keyOf(output))?.pop() === undefined)
  const missing = new Set([...unpaid.values()].flat())
  return { missing: wanted.filter((each) => missing.has(each)), extra }
}

function keyOf({ amount, script }: PaidOutput): string {
  return `${amount}/${Buffer.from(script).toString('hex')}`
}
