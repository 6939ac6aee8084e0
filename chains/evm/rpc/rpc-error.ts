/** Defines the errors between the adapter and a node, by the reaction that each needs. */

/** The node understood the call and refused it: JSON-RPC code, message and data (revert bytes, if any). */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  constructor(
    readonly code: number,
    message: string,
    readonly data: unknown,
  ) {
    super(message)
  }

  /** Returns whether the node does not have (or does not offer) the method at all. */
  get unsupported(): boolean {
    if (this.code === -32601 || this.code === -32004) return true
    return /method.*(not (found|supported|available|enabled|whitelisted|allowed)|does not exist|disabled)|unsupported method/i.test(
      this.message,
    )
  }
}

/**
 * This endpoint cannot serve the call now (no answer, 5xx, behind the others, malformed), so the next one is
 * asked.
 */
export class EndpointFailure extends Error {
  override readonly name = 'EndpointFailure'
}

/**
 * Answers of one batch belong to different chain states (a reorg came in between), so the same endpoint is
 * asked again.
 */
export class UnsettledAnswers extends Error {
  override readonly name = 'UnsettledAnswers'
}

/** The list of a block's receipts leaves some of its transactions out, so each is requested by itself. */
export class MissingReceipts extends Error {
  override readonly name = 'MissingReceipts'
  constructor(readonly txids: readonly string[]) {
    super(`no receipt of ${txids.join(', ')}`)
  }
}

/** The request was too large (time-out, size or result limit), so the caller asks for less. */
export class AskedTooMuch extends Error {
  override readonly name = 'AskedTooMuch'
}

/** Returns whether a node's refusal is about the size of the request. Providers agree on no code. */
export function isTooMuch(error: RpcError): boolean {
  return /too (many|large|big)|exceed|limit|timeout|timed out|deadline|response size|block range/i.test(
    error.message,
  )
}

/**
 * Returns whether a node's refusal says that it has not kept the state of so old a block (it is no archive).
 */
export function isPruned(error: RpcError): boolean {
  return /missing trie node|pruned|pruning|no state|historical|archive|state (is |at .*)?(not available|unavailable)|old data not available|ancient/i.test(
    error.message,
  )
}
