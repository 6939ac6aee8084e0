/**
 * Keeps a node from being used before it is known to be the right one, and checks it again after each new
 * connection.
 */

import type { Pool } from 'undici'

/** Reasons for which a node that answers must not be used. */
export type Unusable =
  /** It serves another chain than the configured one. */
  | 'wrong_chain'
  /** It cannot find transactions by their id. */
  | 'no_transaction_lookup'
  /** Its chain takes a fee that the configuration does not know. */
  | 'unknown_fee'

/** Thrown when a node's answers must not be used. The message says why, without a credential. */
export class UnusableNode extends Error {
  override readonly name = 'UnusableNode'
  constructor(
    readonly state: Unusable,
    message: string,
  ) {
    super(message)
  }
}

/** Checks of one node. Each throws `UnusableNode`, or the error that kept it from an answer. */
export interface NodeChecks {
  /** Checks which chain it serves, before its first use and after every new connection. */
  readonly identity: () => Promise<void>
  /** Checks what it must be able to do, before its first use, after a failure, and at intervals. */
  readonly abilities: () => Promise<void>
}

export interface NodeGuard {
  /**
   * Sends once the node has passed its checks. If a connection was opened meanwhile, another node may have
   * answered, so the answer counts only after the chain was compared again.
   */
  through<T>(send: () => Promise<T>): Promise<T>
  /** Checks the node now. */
  examine(): Promise<void>
  /** Makes the next use check everything again. */
  forget(): void
}

/**
 * Time for which abilities stay known. They change with a node's configuration, and its connections may
 * survive that.
 */
const ABLE_FOR_MS = 600_000

/** Creates the guard of a node. @param pool - Pool whose connections lead to that one node. */
export function guardNode(pool: Pool, checks: NodeChecks): NodeGuard {
  let connections = 0
  /** Number of opened connections when the chain was last compared. */
  let comparedAt = -1
  let ableUntil = 0
  let checking: Promise<void> | null = null
  pool.on('connect', () => {
    connections += 1
  })

  const passed = () => comparedAt === connections && Date.now() < ableUntil

  async function check(): Promise<void> {
    await checks.identity()
    const at = connections
    if (Date.now() >= ableUntil) {
      await checks.abilities()
      ableUntil = Date.now() + ABLE_FOR_MS
    }
    comparedAt = at
  }

  async function ensure(): Promise<void> {
    while (!passed()) {
      checking ??= check().finally(() => {
        checking = null
      })
      await checking
    }
  }

  return {
    async through(send) {
      await ensure()
      const before = connections
      const answer = await send()
      if (connections !== before) await ensure()
      return answer
    },
    async examine() {
      comparedAt = -1
      await ensure()
    },
    forget() {
      comparedAt = -1
      ableUntil = 0
    },
  }
}
