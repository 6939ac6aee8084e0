/** Writes a deposit as a line of text, so that lists of deposits compare in any order. */

interface DescribedDeposit {
  readonly status: string
  readonly user_reference: string | null
  readonly coin: string
  readonly transaction_hash: string
  readonly address: { readonly address: string }
  readonly amount: string
}

/** Returns the line. */
export function describeDeposit(deposit: DescribedDeposit): string {
  const { transaction_hash: hash, amount, coin, address, user_reference: user, status } = deposit
  return `${hash} ${amount} ${coin} to ${address.address} of ${user}: ${status}`
}
