/** What can go wrong between us and a node, by what should be done about it. */

/** The node understood the call and refused it: JSON-RPC code, message and data (revert bytes where there are any). */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  constructor(
    readonly code: number,
    message: string,
    readonly data: unknown,
  ) {
    super(message)
  }

  /** The node does not have (or does not offer) the method at all. */
  get unsupported(): boolean {
    if (this.code === -32601 || this.code === -32004) return true
    return /method.*(not (found|supported|available|enabled|whitelisted|allowed)|does not exist|disabled)|unsupported method/i.test(
      this.message,
    )
  }
}

/** This endpoint cannot serve the call now (no answer, 5xx, behind the others, malformed): the next one is asked. */
export class EndpointFailure extends Error {
  override readonly name = 'EndpointFailure'
}

/** Answers of one batch that belong to different chain states (a reorg came in between): the same endpoint is asked again. */
export class UnsettledAnswers extends Error {
  override readonly name = 'UnsettledAnswers'
}

/** The list of a block's receipts leaves some of its transactions out: each is asked for by itself. */
export class MissingReceipts extends Error {
  override readonly name = 'MissingReceipts'
  constructor(readonly txids: readonly string[]) {
    super(`no receipt of ${txids.join(', ')}`)
  }
}

/** Too much was asked for at once (time-out, size or result limit): ask for less. */
export class AskedTooMuch extends Error {
  override readonly name = 'AskedTooMuch'
}

/** Whether a node's refusal is about the amount that was asked for; providers agree on no code. */
export function isTooMuch(error: RpcError): boolean {
  return /too (many|large|big)|exceed|limit|timeout|timed out|deadline|response size|block range/i.test(
    error.message,
  )
}

/** Whether a node's refusal says that it has not kept the state of so old a block (it is no archive). */
export function isPruned(error: RpcError): boolean {
  return /missing trie node|pruned|pruning|no state|historical|archive|state (is |at .*)?(not available|unavailable)|old data not available|ancient/i.test(
    error.message,
  )
}
