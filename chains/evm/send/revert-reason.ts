/** Says in words why a call would revert. */

import { decodeErrorResult, type Hex } from 'viem'
import type { RpcError } from '../rpc/rpc-error.js'

const REVERTED =
  /revert|VM execution error|VM Exception|out of gas|invalid (opcode|jump)|stack (under|over)flow|OpcodeNotFound/i

/**
 * Returns the reason of a refusal of `eth_call` or `eth_estimateGas`. `null` if it is not about execution.
 */
export function revertReason(error: RpcError): string | null {
  const data = findData(error.data)
  if (data === null && error.code !== 3 && !REVERTED.test(error.message)) return null
  return (data && decode(data)) ?? error.message.replace(/^execution reverted:? ?/i, '').slice(0, 200)
}

/**
 * Finds the bytes of the reason. Geth puts them into `data`, others into `data.data` or
 * `data.originalError.data`, or behind "Reverted ".
 */
function findData(data: unknown): Hex | null {
  if (typeof data === 'string') {
    const match = /0x[0-9a-fA-F]{8,}$/.exec(data)
    return match ? (match[0] as Hex) : null
  }
  if (typeof data !== 'object' || data === null) return null
  if ('data' in data) return findData(data.data)
  return 'originalError' in data ? findData(data.originalError) : null
}

function decode(data: Hex): string | null {
  try {
    const { errorName, args } = decodeErrorResult({ abi: [], data })
    return errorName === 'Error' ? String(args?.[0]).slice(0, 200) : `${errorName}(${args?.join(', ')})`
  } catch {
    return `custom error ${data.slice(0, 10)}`
  }
}
