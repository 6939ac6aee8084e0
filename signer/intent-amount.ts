/** What an intent takes from a limit. */

/** Base units of all outputs, of an intent or of what a payload pays of it; where the recipient pays the fee it is within them. */
export function intentAmount(paid: { readonly outputs: readonly { readonly amount: string }[] }): bigint {
  return paid.outputs.reduce((sum, output) => sum + BigInt(output.amount), 0n)
}
