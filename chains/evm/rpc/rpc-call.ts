/** A JSON-RPC call and its answer. */

import type { RpcError } from './rpc-error.js'

/** A JSON-RPC call. */
export interface RpcCall {
  readonly method: string
  readonly params: readonly unknown[]
}

/** The node's answer to a call: its result, or the error with which it refused. */
export type RpcAnswer = unknown | RpcError
