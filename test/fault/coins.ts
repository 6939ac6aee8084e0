/** The coins of the stack that is killed, and fresh recipients of them. */

import { randomBytes } from 'node:crypto'
import { getAddress } from 'viem'
import { faucetKey } from '../../local/parts/bitcoin-faucet.js'

export type CoinName = 'eth' | 'usdt' | 'btc'

export const COINS = {
  eth: { network: 'ethereum', decimals: 18 },
  usdt: { network: 'ethereum', decimals: 6 },
  btc: { network: 'bitcoin', decimals: 8 },
} as const satisfies Record<CoinName, { network: 'ethereum' | 'bitcoin'; decimals: number }>

/** Returns an address that was never used. */
export function freshRecipient(coin: CoinName): string {
  const key = randomBytes(32)
  return coin === 'btc' ? faucetKey(key).address : getAddress(`0x${key.toString('hex').slice(0, 40)}`)
}
