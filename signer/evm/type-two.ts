/** Describes the one type of EVM transaction that this signer signs. */

/** Fields of an EIP-1559 transaction. The access list is always empty. */
export interface TypeTwoTransaction {
  readonly chainId: bigint
  readonly nonce: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly maxFeePerGas: bigint
  readonly gas: bigint
  /** Recipient or contract, `0x` and 40 hex digits. */
  readonly to: string
  readonly value: bigint
  /** Calldata, `0x…`. */
  readonly data: string
}

/** First byte of an EIP-1559 transaction. */
export const TYPE_TWO = Buffer.from([0x02])
