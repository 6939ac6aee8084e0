/** Matches outputs with the approved ones, in one pass for any number of them. */

interface PaidOutput {
  readonly amount: bigint
  readonly script: Uint8Array
}

/**
 * Matches each wanted output with one output. An address that is wanted twice must be paid twice.
 *
 * @returns The wanted outputs that no output pays exactly, and the outputs that pay none of them.
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
