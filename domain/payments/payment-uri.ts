/** Makes the URI that a wallet reads from a QR code. */

import type { Coin, Network } from '../chain/network.js'
import { formatAmount } from '../money.js'

/** Schemes of networks whose addresses have none (BIP-21 and its copies). */
const SCHEMES: Readonly<Record<string, string>> = { bitcoin: 'bitcoin', litecoin: 'litecoin' }

/**
 * Makes a BIP-21 URI on a UTXO network, and an EIP-681 URI on an EVM chain. The latter names the chain, and
 * for a token its contract, so that a wallet cannot pay on another one.
 *
 * @param address - Address in canonical form.
 * @param amount - Base units. `null` leaves the amount to the payer.
 */
export function paymentUri(network: Network, coin: Coin, address: string, amount: bigint | null): string {
  if (network.family === 'utxo') {
    // A cashaddr address already has its scheme.
    const scheme = address.includes(':') ? '' : `${SCHEMES[network.name] ?? network.name}:`
    return `${scheme}${address}${amount === null ? '' : `?amount=${formatAmount(amount, coin.decimals)}`}`
  }
  if (coin.contract === null) {
    return `ethereum:${address}@${network.chainId}${amount === null ? '' : `?value=${amount}`}`
  }
  const units = amount === null ? '' : `&uint256=${amount}`
  return `ethereum:${coin.contract}@${network.chainId}/transfer?address=${address}${units}`
}
