/** Reads and writes ERC-20 `transfer(address,uint256)`, the one contract call that this signer knows. */

/** First four bytes of keccak256("transfer(address,uint256)"). */
export const TRANSFER_SELECTOR = 'a9059cbb'

/**
 * Content of calldata, read leniently. `decodeTransfer` never throws on hex, and a check compares the
 * re-encoding.
 */
export interface TransferCall {
  /** First four bytes in lower-case hex. */
  readonly selector: string
  /** Recipient in lower case, with 0x. */
  readonly to: string
  readonly amount: bigint
}

/** Reads selector, recipient and amount, and ignores padding and further bytes. @param data - `0x…` */
export function decodeTransfer(data: string): TransferCall {
  const hex = data.slice(2).toLowerCase()
  return {
    selector: hex.slice(0, 8),
    to: `0x${hex.slice(32, 72).padEnd(40, '0')}`,
    amount: BigInt(`0x${hex.slice(72, 136) || '0'}`),
  }
}

/** Returns the only calldata that pays `amount` to `to` (lower case). */
export function encodeTransfer(to: string, amount: bigint): string {
  return `0x${TRANSFER_SELECTOR}${to.slice(2).toLowerCase().padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`
}
