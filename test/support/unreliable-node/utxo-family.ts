/**
 * Answers as a node of the Bitcoin family does that lags, forgets or lost its mempool, with the errors of the
 * real node.
 */

import { z } from 'zod'
import type { Answer, Ask, Call, Family, View } from './view.js'

const header = z.object({ height: z.int() })
const transaction = z.object({ blockhash: z.string().optional() })
const decoded = z.object({ txid: z.string() })
const UNKNOWN_ID = '11'.repeat(32)
const FAR_ABOVE = 10_000_000

/** Answers of the UTXO family. */
export const utxoFamily: Family = {
  height: async (ask) => Number((await ask('getblockcount', [])).result),

  async answer(call, view, ask) {
    const { method, params } = call
    const [first, ...rest] = params
    switch (method) {
      case 'getblockcount':
        return view.top !== null && view.admitsTop ? { result: view.top } : ask(method, params)
      case 'getbestblockhash':
        return view.top !== null && view.admitsTop ? ask('getblockhash', [view.top]) : ask(method, params)
      case 'getblockchaininfo':
        return chainAnswer(call, view, ask)
      case 'getblockhash':
        return ask(method, view.top !== null && Number(first) > view.top ? [FAR_ABOVE] : params)
      case 'getblock':
      case 'getblockheader':
        return ask(method, (await isAbove(view, first, ask)) ? [UNKNOWN_ID, ...rest] : params)
      case 'getrawtransaction':
        return ask(method, (await isHidden(view, first, ask)) ? [UNKNOWN_ID, ...rest] : params)
      case 'getrawmempool':
        return view.hasMempool ? ask(method, params) : { result: [] }
      case 'sendrawtransaction': {
        if (view.hasMempool) return ask(method, params)
        const { result } = await ask('decoderawtransaction', [first])
        return { result: decoded.parse(result).txid }
      }
      default:
        return ask(method, params)
    }
  },
}

async function chainAnswer({ method, params }: Call, { top, admitsTop }: View, ask: Ask): Promise<Answer> {
  const found = await ask(method, params)
  if (top === null || !admitsTop) return found
  const { result: bestblockhash } = await ask('getblockhash', [top])
  return { result: { ...Object(found.result), blocks: top, headers: top, bestblockhash } }
}

async function isAbove({ top }: View, hash: unknown, ask: Ask): Promise<boolean> {
  if (top === null) return false
  const known = header.safeParse((await ask('getblockheader', [hash, true])).result)
  return known.success && known.data.height > top
}

async function isHidden(view: View, txid: unknown, ask: Ask): Promise<boolean> {
  if (!view.findsTransactions) return true
  if (view.top === null && view.hasMempool) return false
  const known = transaction.safeParse((await ask('getrawtransaction', [txid, 1])).result)
  if (!known.success) return false
  const { blockhash } = known.data
  return blockhash === undefined ? !view.hasMempool : isAbove(view, blockhash, ask)
}
