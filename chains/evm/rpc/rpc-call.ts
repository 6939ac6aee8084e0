/** Defines a JSON-RPC call and its answer. */

import type { RpcError } from './rpc-error.js'

/** JSON-RPC call. */
export interface RpcCall {
  readonly method: string
  readonly params: readonly unknown[]
}

/** Node's answer to a call: its result, or the error with which it refused. */
export type RpcAnswer = unknown | RpcError
