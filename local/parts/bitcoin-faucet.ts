/**
 * Pays from the coinbases of a regtest chain. The nodes have no wallet, so the faucet selects coins and signs
 * itself.
 */

import { NETWORK, p2wpkh, Transaction, WIF } from '@scure/btc-signer'
import { pubECDSA } from '@scure/btc-signer/utils.js'
import { z } from 'zod'
import type { Bitcoin } from './bitcoin.js'

/** Address parameters of regtest. */
export const REGTEST = { ...NETWORK, bech32: 'bcrt', pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef }

const COINBASE_MATURITY = 100
const VBYTES_INPUT = 68n
const VBYTES_OUTPUT = 43n
const VBYTES_REST = 11n
/** Smaller change goes to the fee. This is above Litecoin's limit, which is ten times that of Bitcoin. */
const DUST = 6_000n

const block = z.object({
  tx: z.array(z.unknown()).optional(),
  rawtx: z.array(z.unknown()).optional(),
})
const coinbase = z.object({
  txid: z.string(),
  vout: z.array(z.object({ value: z.number(), n: z.number(), scriptPubKey: z.object({ hex: z.string() }) })),
})

export interface FaucetKey {
  readonly privateKey: Uint8Array
  readonly wif: string
  /** P2WPKH address on regtest. */
  readonly address: string
  /** Address parameters of the chain. */
  readonly network: typeof REGTEST
}

export interface FaucetPayment {
  readonly address: string
  /** Amount in satoshis. */
  readonly amount: bigint
}

export interface BitcoinFaucet extends FaucetKey {
  /** Signs and sends one transaction that pays all outputs. @returns Its txid. */
  pay(payments: readonly FaucetPayment[], feeRate?: number): Promise<string>
}

/** Returns the address and WIF of a key. @param network - Default: Bitcoin's regtest. */
export function faucetKey(privateKey: Uint8Array, network = REGTEST): FaucetKey {
  const { address } = p2wpkh(pubECDSA(privateKey), network)
  if (!address) throw new Error('The faucet has no address')
  return { privateKey, wif: WIF(network).encode(privateKey), address, network }
}

/** Returns the private key of a WIF of regtest. Bitcoin and Litecoin have the same version byte. */
export function privateKeyOf(wif: string): Uint8Array {
  return WIF(REGTEST).decode(wif)
}

interface Coin {
  readonly txid: string
  readonly index: number
  readonly amount: bigint
}

/** Creates a faucet that spends the coinbases that the node paid to its key's address. */
export function createBitcoinFaucet(node: Pick<Bitcoin, 'call'>, key: FaucetKey): BitcoinFaucet {
  const script = p2wpkh(pubECDSA(key.privateKey), key.network).script
  const scriptHex = Buffer.from(script).toString('hex')
  const change: Coin[] = []
  let scanned = 0
  let busy: Promise<unknown> = Promise.resolve()

  /**
   * Returns the next coin: own change first, then the oldest coinbase (regtest halves the subsidy every 150
   * blocks).
   */
  async function nextCoin(): Promise<Coin> {
    for (;;) {
      const kept = change.pop()
      if (kept) {
        if (await node.call('gettxout', kept.txid, kept.index, true)) return kept
        continue
      }
      const tip = z.number().parse(await node.call('getblockcount'))
      if (scanned >= tip - COINBASE_MATURITY)
        throw new Error(`The faucet has no mature coinbase: mine ${COINBASE_MATURITY + 1} blocks first`)
      scanned += 1
      const { tx, rawtx } = block.parse(
        await node.call('getblock', await node.call('getblockhash', scanned), 2),
      )
      const mined = coinbase.parse((rawtx ?? tx ?? [])[0])
      const output = mined.vout.find((each) => each.scriptPubKey.hex === scriptHex && each.value > 0)
      if (!output || !(await node.call('gettxout', mined.txid, output.n, true))) continue
      return { txid: mined.txid, index: output.n, amount: BigInt(Math.round(output.value * 1e8)) }
    }
  }

  async function pay(payments: readonly FaucetPayment[], feeRate: number): Promise<string> {
    const total = payments.reduce((sum, each) => sum + each.amount, 0n)
    const coins: Coin[] = []
    let have = 0n
    let fee = 0n
    do {
      const coin = await nextCoin()
      coins.push(coin)
      have += coin.amount
      const vbytes =
        VBYTES_REST + VBYTES_INPUT * BigInt(coins.length) + VBYTES_OUTPUT * BigInt(payments.length + 1)
      fee = (vbytes * BigInt(Math.ceil(feeRate * 100)) + 99n) / 100n
    } while (have < total + fee)
    const transaction = new Transaction()
    for (const coin of coins) {
      transaction.addInput({
        txid: coin.txid,
        index: coin.index,
        // The sequence signals that tests may replace the transaction.
        sequence: 0xfffffffd,
        witnessUtxo: { script, amount: coin.amount },
      })
    }
    for (const payment of payments) transaction.addOutputAddress(payment.address, payment.amount, key.network)
    const rest = have - total - fee
    if (rest >= DUST) transaction.addOutputAddress(key.address, rest, key.network)
    transaction.sign(key.privateKey)
    transaction.finalize()
    const txid = z.string().parse(await node.call('sendrawtransaction', transaction.hex))
    if (rest >= DUST) change.push({ txid, index: payments.length, amount: rest })
    return txid
  }

  return {
    ...key,
    pay(payments, feeRate = 5) {
      // Payments run one at a time: two at once would take the same coins.
      const done = busy.then(() => pay(payments, feeRate))
      busy = done.catch(() => {})
      return done
    },
  }
}
