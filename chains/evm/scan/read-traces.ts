/** Reads native value that moves inside transactions, from `trace_block` (the Parity trace format). */

import { toBigInt, toBytes, toInteger, toList, toRecord } from '../quantity.js'
import { EndpointFailure, UnsettledAnswers } from '../rpc/rpc-error.js'

/** Movement of native value by a call or self-destruct that took effect. */
export interface NativeMovement {
  /**
   * Ordinal: 0 for the transaction's own value, 1,000,000 + rank of the trace in its transaction for internal
   * ones.
   */
  readonly index: number
  readonly from: string
  readonly to: string
  readonly amount: bigint
}

/** Ordinal at which a transaction's internal transfers start (`deposits.output_index`). */
export const FIRST_INTERNAL_INDEX = 1_000_000

interface Trace {
  readonly address: readonly number[]
  readonly type: unknown
  readonly action: Readonly<Record<string, unknown>>
  readonly failed: boolean
}

/**
 * Groups a block's traces by transaction. Rewards, which have none, are left out.
 *
 * @throws UnsettledAnswers if a trace belongs to another block than `blockHash`.
 */
export function groupTraces(traces: unknown, blockHash: string): Map<string, Trace[]> {
  const groups = new Map<string, Trace[]>()
  for (const each of toList(traces, 'traces')) {
    const trace = toRecord(each, 'trace')
    if (trace.blockHash !== blockHash) throw new UnsettledAnswers('traces of another block')
    if (typeof trace.transactionHash !== 'string') continue
    const read: Trace = {
      address: toList(trace.traceAddress, 'traceAddress').map(toTraceIndex),
      type: trace.type,
      action: toRecord(trace.action, 'trace action'),
      failed: trace.error !== undefined && trace.error !== null,
    }
    const group = groups.get(trace.transactionHash)
    if (group) group.push(read)
    else groups.set(trace.transactionHash, [read])
  }
  return groups
}

/**
 * Returns the movements of one transaction that succeeded. Ranks follow the trace addresses, so every node
 * gives the same ones. Everything under a failed call was undone, even if the inner traces say otherwise.
 * Delegate and static calls and callcode move nothing, though they show a value. A contract's creation pays
 * the new contract, which is no own address.
 */
export function nativeMovements(traces: readonly Trace[]): NativeMovement[] {
  const ordered = traces.length > 1 ? [...traces].sort(byAddress) : traces
  const root = ordered[0]
  if (root?.address.length !== 0) throw new EndpointFailure('traces without their root')
  const movements: NativeMovement[] = []
  let undone: readonly number[] | null = null
  for (const [rank, trace] of ordered.entries()) {
    if (undone && isUnder(trace.address, undone)) continue
    undone = null
    if (trace.failed) {
      undone = trace.address
      continue
    }
    const index = trace.address.length === 0 ? 0 : FIRST_INTERNAL_INDEX + rank
    const { action } = trace
    if (trace.type === 'call' && action.callType === 'call') {
      const amount = toBigInt(action.value, 'trace value')
      if (amount === 0n) continue
      const from = toBytes(action.from, 20, 'trace from')
      movements.push({ index, from, to: toBytes(action.to, 20, 'trace to'), amount })
    } else if (trace.type === 'suicide' || trace.type === 'selfdestruct') {
      const amount = toBigInt(action.balance, 'trace balance')
      const from = toBytes(action.address, 20, 'trace address')
      movements.push({ index, from, to: toBytes(action.refundAddress, 20, 'trace refundAddress'), amount })
    }
  }
  return movements
}

function toTraceIndex(value: unknown): number {
  // This is the one place where the format has a plain number.
  return typeof value === 'number' ? value : toInteger(value, 'traceAddress')
}

/** Compares depth first: a call before its inner calls, in order. */
function byAddress(a: Trace, b: Trace): number {
  const shared = Math.min(a.address.length, b.address.length)
  for (let depth = 0; depth < shared; depth += 1) {
    const difference = (a.address[depth] ?? 0) - (b.address[depth] ?? 0)
    if (difference !== 0) return difference
  }
  return a.address.length - b.address.length
}

function isUnder(address: readonly number[], ancestor: readonly number[]): boolean {
  return address.length > ancestor.length && ancestor.every((step, depth) => address[depth] === step)
}
