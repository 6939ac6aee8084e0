/** Reads a Bitcoin node block by block, without any code of the platform. */

import { z } from 'zod'
import { jsonRpc } from '../../local/parts/json-rpc.js'

const transaction = z.object({
  txid: z.string(),
  vin: z.array(z.object({ txid: z.string().optional(), vout: z.int().optional() })),
  vout: z.array(
    z.object({
      n: z.int(),
      value: z.number(),
      scriptPubKey: z.object({ address: z.string().optional(), addresses: z.array(z.string()).optional() }),
    }),
  ),
})
/** btcd calls the transactions `rawtx`, Bitcoin Core `tx`. */
const block = z
  .object({ tx: z.array(transaction).optional(), rawtx: z.array(transaction).optional() })
  .transform(({ tx, rawtx }) => rawtx ?? tx ?? [])

const SATOSHIS = 1e8

export interface BitcoinScan {
  /** Returns the satoshis at an address that no transaction of the chain spent. */
  unspent(address: string): bigint
  /** Returns the satoshis at all of the addresses that no transaction of the chain spent. */
  unspentAt(addresses: ReadonlySet<string>): bigint
  /** Returns the satoshis that were ever paid to an address. */
  received(address: string): bigint
  /** Returns how often the chain holds a transaction. */
  times(txid: string): number
  /** Outpoints (`txid:vout`) that the chain spends, each as often as the chain spends it. */
  readonly spent: readonly string[]
}

/** Reads the whole chain. @param upTo - Height of the last block that counts. Default: the newest. */
export async function scanBitcoin(rpc: string, upTo?: number): Promise<BitcoinScan> {
  const tip = upTo ?? z.int().parse(await jsonRpc(rpc, 'getblockcount', []))
  const outputs: { readonly outpoint: string; readonly address: string; readonly amount: bigint }[] = []
  const txids: string[] = []
  const spent: string[] = []
  for (let height = 1; height <= tip; height += 1) {
    const hash = await jsonRpc(rpc, 'getblockhash', [height])
    for (const { txid, vin, vout } of block.parse(await jsonRpc(rpc, 'getblock', [hash, 2]))) {
      txids.push(txid)
      for (const input of vin) if (input.txid !== undefined) spent.push(`${input.txid}:${input.vout}`)
      for (const { n, value, scriptPubKey } of vout) {
        const address = scriptPubKey.address ?? scriptPubKey.addresses?.[0] ?? ''
        outputs.push({ outpoint: `${txid}:${n}`, address, amount: BigInt(Math.round(value * SATOSHIS)) })
      }
    }
  }
  const gone = new Set(spent)
  const sum = (wanted: (output: (typeof outputs)[number]) => boolean) =>
    outputs.filter(wanted).reduce((total, output) => total + output.amount, 0n)
  return {
    unspent: (address) => sum((output) => output.address === address && !gone.has(output.outpoint)),
    unspentAt: (addresses) => sum(({ address, outpoint }) => addresses.has(address) && !gone.has(outpoint)),
    received: (address) => sum((output) => output.address === address),
    times: (txid) => txids.filter((each) => each === txid).length,
    spent,
  }
}

/** Returns the hash of a block. `null` when the chain is not that high. */
export async function bitcoinHashAt(rpc: string, height: number): Promise<string | null> {
  const tip = z.int().parse(await jsonRpc(rpc, 'getblockcount', []))
  return height > tip ? null : z.string().parse(await jsonRpc(rpc, 'getblockhash', [height]))
}
