/** Answers as an Ethereum node does that lags, forgets or lost its mempool. */

import { keccak256 } from 'viem'
import { z } from 'zod'
import type { Answer, Ask, Call, Family, View } from './view.js'

const NOTHING: Answer = { result: null }
const placed = z.object({ blockNumber: z.string().nullish() }).nullish()
const block = z.object({ number: z.string().nullish() }).nullish()

/** Position of the state's block among the parameters, by method. */
const STATE_PARAMETER: Readonly<Record<string, number>> = {
  eth_getBalance: 1,
  eth_getTransactionCount: 1,
  eth_getCode: 1,
  eth_call: 1,
  eth_estimateGas: 1,
  eth_feeHistory: 1,
}

/** Answers of the EVM family. */
export const evmFamily: Family = {
  height: async (ask) => Number((await ask('eth_blockNumber', [])).result),

  async answer(call, view, ask) {
    const { method, params } = call
    switch (method) {
      case 'eth_blockNumber':
        return view.top !== null && view.admitsTop ? { result: hex(view.top) } : ask(method, params)
      case 'eth_getBlockByNumber':
      case 'eth_getBlockReceipts':
      case 'trace_block':
        return blockAnswer(call, view, ask)
      case 'eth_getBlockByHash': {
        const found = await ask(method, params)
        return isAbove(view, block.parse(found.result)?.number) ? NOTHING : found
      }
      case 'eth_getTransactionReceipt': {
        if (!view.findsTransactions) return NOTHING
        const found = await ask(method, params)
        return isAbove(view, placed.parse(found.result)?.blockNumber) ? NOTHING : found
      }
      case 'eth_getTransactionByHash':
        return transactionAnswer(call, view, ask)
      case 'txpool_content':
        return view.hasMempool ? ask(method, params) : { result: { pending: {}, queued: {} } }
      case 'eth_sendRawTransaction':
        return view.hasMempool ? ask(method, params) : { result: keccak256(params[0] as `0x${string}`) }
      default:
        return ask(method, atTop(call, view))
    }
  },
}

async function blockAnswer({ method, params }: Call, view: View, ask: Ask): Promise<Answer> {
  const [at, ...rest] = params
  if (at === 'pending' && !view.hasMempool) return NOTHING
  if (at === 'latest' && view.top !== null && view.admitsTop) return ask(method, [hex(view.top), ...rest])
  if (typeof at !== 'string' || !at.startsWith('0x') || !isAbove(view, at)) return ask(method, params)
  // Nodes answer a request for traces of an unknown block with different errors.
  return method === 'trace_block' ? { error: { code: -32_000, message: 'block not found' } } : NOTHING
}

async function transactionAnswer({ method, params }: Call, view: View, ask: Ask): Promise<Answer> {
  if (!view.findsTransactions) return NOTHING
  const found = await ask(method, params)
  const height = placed.parse(found.result)?.blockNumber ?? null
  if (height === null) return view.hasMempool ? found : NOTHING
  if (!isAbove(view, height)) return found
  // The node had the transaction in its mempool before the block came.
  return view.hasMempool
    ? { result: { ...Object(found.result), blockNumber: null, blockHash: null, transactionIndex: null } }
    : NOTHING
}

function atTop({ method, params }: Call, { top, admitsTop }: View): readonly unknown[] {
  const position = STATE_PARAMETER[method]
  if (position === undefined || top === null || !admitsTop) return params
  if (params[position] !== undefined && params[position] !== 'latest') return params
  return Object.assign([...params], { [position]: hex(top) })
}

function isAbove({ top }: View, height: string | null | undefined): boolean {
  return top !== null && typeof height === 'string' && Number(height) > top
}

function hex(height: number): string {
  return `0x${height.toString(16)}`
}
