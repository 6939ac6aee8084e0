/** Thrown when a chain cannot be audited at a block. It is no difference: nothing was compared. */

export type AuditFailureCode =
  /** No node answers. */
  | 'NODE_UNREACHABLE'
  /** The node has not reached the block. */
  | 'NODE_BEHIND'
  /** The node has another block at the height. */
  | 'NODE_ON_ANOTHER_BRANCH'
  /** The node keeps the block, but not the balances at it. */
  | 'NODE_WITHOUT_STATE'
  /** The node serves another chain than the network file names. */
  | 'NODE_OF_ANOTHER_CHAIN'
  /** The answer contradicts itself, or the hash that it was asked for. */
  | 'NODE_ANSWERS_WRONG'
  /** Two nodes give different answers about one block. */
  | 'NODES_DISAGREE'
  /** The nodes have gone on, and the books have not followed. */
  | 'BOOKS_BEHIND'
  /** The books do not know the block. */
  | 'BLOCK_NOT_SCANNED'

const PASSING: readonly AuditFailureCode[] = ['NODE_UNREACHABLE', 'NODE_BEHIND', 'NODE_ON_ANOTHER_BRANCH']

export class AuditFailure extends Error {
  override readonly name = 'AuditFailure'
  readonly code: AuditFailureCode

  /** @param message - A sentence for people, without addresses of nodes. */
  constructor(code: AuditFailureCode, message: string) {
    super(message)
    this.code = code
  }

  /** Whether the same audit may succeed a little later. */
  get passing(): boolean {
    return PASSING.includes(this.code)
  }
}
