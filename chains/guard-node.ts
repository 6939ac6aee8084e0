/** Keeps a node from being used before it is known to be the right one, and checks it again after each new connection. */

import type { Pool } from 'undici'

/** What makes a node unusable although it answers. */
export type Unusable =
  /** It serves another chain than the one that is configured. */
  | 'wrong_chain'
  /** It cannot look transactions up by their id. */
  | 'no_transaction_lookup'
  /** Its chain takes a fee that the configuration does not reckon with. */
  | 'unknown_fee'

/** The node answers, and what it answers must not be used. The message says why, without a credential. */
export class UnusableNode extends Error {
  override readonly name = 'UnusableNode'
  constructor(
    readonly state: Unusable,
    message: string,
  ) {
    super(message)
  }
}

/** The questions to one node; each throws `UnusableNode`, or the error that kept it from being answered. */
export interface NodeChecks {
  /** Which chain it serves: asked before its first use and after every new connection. */
  readonly identity: () => Promise<void>
  /** What it must be able to do: asked before its first use, after a failure, and now and then. */
  readonly abilities: () => Promise<void>
}

export interface NodeGuard {
  /**
   * Sends once the node has passed its checks. Where a connection was opened meanwhile, another node may have answered: the
   * answer counts only after the chain was compared again.
   */
  through<T>(send: () => Promise<T>): Promise<T>
  /** Checks now. */
  examine(): Promise<void>
  /** The next use checks everything again. */
  forget(): void
}

/** Abilities change with a node's configuration, which no dropped connection need betray. */
const ABLE_FOR_MS = 600_000

/** @param pool - Its connections lead to the one node. */
export function guardNode(pool: Pool, checks: NodeChecks): NodeGuard {
  let connections = 0
  /** How many connections had been opened when the chain was last compared. */
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
