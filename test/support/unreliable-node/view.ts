/** Types that both families of unreliable nodes share. */

/** A JSON-RPC call, unchanged. */
export interface Call {
  readonly method: string
  readonly params: readonly unknown[]
}

/** An answer: either a result or an error. */
export interface Answer {
  readonly result?: unknown
  readonly error?: unknown
}

/** Calls the real node. */
export type Ask = (method: string, params: readonly unknown[]) => Promise<Answer>

/** The part of a chain that an unreliable node shows. */
export interface View {
  /** Height of the highest block that it has. `null`: it has all. */
  readonly top: number | null
  /** Whether its head is that block. `false`: it names a head whose block it does not have. */
  readonly admitsTop: boolean
  /** Whether it finds transactions by their ids. */
  readonly findsTransactions: boolean
  /**
   * Whether it has a mempool. `false`: it shows an empty one, and forgets the transactions that it accepts.
   */
  readonly hasMempool: boolean
}

/** The answers of one family of nodes. */
export interface Family {
  /** Returns the height of the real node. */
  height(ask: Ask): Promise<number>
  /** Returns the answer of a node with this view. */
  answer(call: Call, view: View, ask: Ask): Promise<Answer>
}
