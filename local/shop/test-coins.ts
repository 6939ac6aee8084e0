/** Pays with the test coins of the local chains, in place of a payer who has a wallet there. */

import { parseAmount } from '../../domain/money.js'
import { createBitcoinFaucet, faucetKey, privateKeyOf } from '../parts/bitcoin-faucet.js'
import { jsonRpc } from '../parts/json-rpc.js'

/**
 * Second account of Anvil's published test mnemonic. Anvil signs for it, and counts its nonces, so that it
 * never gets in the way of the faucet that others use.
 */
const PAYER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

/** Coins of the test chains that the shop sells for. */
export type TestCoin = 'eth' | 'btc'

/** Pays whole coins to an address. @returns The transaction's hash. */
export type PayTestCoins = (address: string, amount: string) => Promise<string>

/** Nodes of the local chains. A chain that was left out is absent. */
export interface TestChains {
  readonly ethereum: string
  readonly bitcoin?: { readonly rpc: string; readonly faucetWif: string }
}

/** Returns the coins that can be paid, each with its payer. */
export function openTestCoins({ ethereum, bitcoin }: TestChains): Map<TestCoin, PayTestCoins> {
  const coins = new Map<TestCoin, PayTestCoins>()
  coins.set('eth', async (to, amount) => {
    const value = `0x${parseAmount(amount, 18).toString(16)}`
    return String(await jsonRpc(ethereum, 'eth_sendTransaction', [{ from: PAYER, to, value }]))
  })
  if (bitcoin) {
    const call = (method: string, ...params: unknown[]) => jsonRpc(bitcoin.rpc, method, params)
    const faucet = createBitcoinFaucet({ call }, faucetKey(privateKeyOf(bitcoin.faucetWif)))
    coins.set('btc', (address, amount) => faucet.pay([{ address, amount: parseAmount(amount, 8) }]))
  }
  return coins
}
