/** What a node that misbehaves shows of a chain, whichever family it is of. */

/** A JSON-RPC call as it came. */
export interface Call {
  readonly method: string
  readonly params: readonly unknown[]
}

/** One of the two. */
export interface Answer {
  readonly result?: unknown
  readonly error?: unknown
}

/** Asks the real node. */
export type Ask = (method: string, params: readonly unknown[]) => Promise<Answer>

export interface View {
  /** It has blocks up to this height; null for all. */
  readonly top: number | null
  /** False where it names a head that it does not have the block of. */
  readonly admitsTop: boolean
  /** False where it finds no transaction by its id. */
  readonly findsTransactions: boolean
  /** False where it shows an empty mempool, and takes transactions only to forget them. */
  readonly hasMempool: boolean
}

export interface Family {
  /** Height of the real node. */
  height(ask: Ask): Promise<number>
  /** What a node with this view answers. */
  answer(call: Call, view: View, ask: Ask): Promise<Answer>
}
