/** Sums what an intent takes from a limit. */

/**
 * Returns the base units of all outputs of an intent, or of the part that a payload pays. A fee that the
 * recipient pays is included.
 */
export function intentAmount(paid: { readonly outputs: readonly { readonly amount: string }[] }): bigint {
  return paid.outputs.reduce((sum, output) => sum + BigInt(output.amount), 0n)
}
