/** Opens an EVM chain at one block through raw JSON-RPC: balances of accounts, and what transactions moved. */

import type { EvmNetwork } from '../../domain/chain/network.js'
import { AuditFailure } from '../audit-failure.js'
import { type NodeOptions, openNode, type RpcAnswer, type RpcCall, type RpcNode } from '../rpc/open-node.js'
import { unlessSilent } from '../unless-silent.js'
import { toUnits } from './to-units.js'

/** A block by height and hash. */
export interface BlockPoint {
  readonly height: number
  readonly hash: string
}

/** What is asked for: the balance of an address, in the native coin (`contract` null) or in a token. */
export interface BalanceQuestion {
  readonly address: string
  readonly contract: string | null
}

export interface AccountsAt {
  readonly block: BlockPoint
  readonly node: RpcNode
  /** Other nodes that have the block. */
  readonly witnesses: readonly RpcNode[]
  /**
   * Returns the base units of each question at the block. `null` where a token refuses to say it.
   *
   * @throws AuditFailure when the node has no state of the block, or makes no sense.
   */
  balances(questions: readonly BalanceQuestion[]): Promise<(bigint | null)[]>
  /**
   * Requires that the witnesses give the same answers, so that a node that lies makes no difference of the books.
   *
   * @throws AuditFailure `NODES_DISAGREE`.
   */
  requireAgreement(questions: readonly BalanceQuestion[], answers: readonly (bigint | null)[]): Promise<void>
}

/** Selector of `balanceOf(address)`. */
const BALANCE_OF = '0x70a08231'
/** Words by which nodes say that they do not keep the state of a block. */
const NO_STATE = /missing trie node|state|pruned|archive|header not found|unknown block|historical/i
const NOT_CANONICAL = /canonical/i
/** A contract that was called and refused. */
const REVERTED = /revert|invalid opcode|out of gas/i

/**
 * Opens the network at a block. The first node that has it in its chain answers; the others are witnesses.
 *
 * @throws AuditFailure - The reason of the last node, when none can be used.
 */
export async function openAccounts(
  network: EvmNetwork,
  block: BlockPoint,
  options: NodeOptions = {},
): Promise<AccountsAt> {
  const nodes = network.rpcUrls.map((url, index) =>
    openNode(url, `node ${index + 1} of ${network.name}`, options),
  )
  return openAccountsOf({ chainId: network.chainId, nodes }, block)
}

/** A chain by its id, with the nodes that serve it. */
export interface NodesOfChain {
  readonly chainId: number
  readonly nodes: readonly RpcNode[]
}

/** Does the same for nodes that are open. */
export async function openAccountsOf(chain: NodesOfChain, block: BlockPoint): Promise<AccountsAt> {
  const usable: RpcNode[] = []
  let failure = new AuditFailure('NODE_UNREACHABLE', 'The network has no node')
  for (const node of chain.nodes) {
    try {
      await requireBlock(chain, node, block)
      usable.push(node)
    } catch (error) {
      if (!(error instanceof AuditFailure)) throw error
      failure = error
    }
  }
  const [node, ...witnesses] = usable
  if (!node) throw failure
  const ask = (from: RpcNode, questions: readonly BalanceQuestion[]) => askBalances(from, block, questions)
  return {
    block,
    node,
    witnesses,
    balances: (questions) => ask(node, questions),
    async requireAgreement(questions, answers) {
      for (const witness of witnesses) {
        const said = await unlessSilent(ask(witness, questions))
        const index = said?.findIndex((value, at) => value !== answers[at]) ?? -1
        if (index === -1) continue
        throw new AuditFailure(
          'NODES_DISAGREE',
          `The ${node.label} and the ${witness.label.split(' of ')[0]} give different balances of ` +
            `${questions[index]?.address} at block ${block.height}`,
        )
      }
    },
  }
}

async function requireBlock(
  { chainId: wanted }: NodesOfChain,
  node: RpcNode,
  { height, hash }: BlockPoint,
): Promise<void> {
  const chainId = toUnits(await node.ask('eth_chainId'), node, 'eth_chainId')
  if (chainId !== BigInt(wanted)) {
    throw new AuditFailure('NODE_OF_ANOTHER_CHAIN', `The ${node.label} serves chain ${chainId}`)
  }
  const found = (await node.ask('eth_getBlockByNumber', toQuantity(height), false)) as {
    hash?: unknown
  } | null
  if (found?.hash === hash) return
  throw found === null
    ? new AuditFailure(
        'NODE_BEHIND',
        `The ${node.label} has not reached block ${height}, which the books have scanned`,
      )
    : new AuditFailure(
        'NODE_ON_ANOTHER_BRANCH',
        `The ${node.label} has ${String(found.hash)} at height ${height}, and the books have ${hash}`,
      )
}

/** Returns balances at any block. @throws AuditFailure as `balances`. */
export async function askBalances(
  node: RpcNode,
  block: BlockPoint,
  questions: readonly BalanceQuestion[],
): Promise<(bigint | null)[]> {
  // By its hash, so that a reorganisation gives an error and no balances of another block (EIP-1898).
  const at = { blockHash: block.hash, requireCanonical: true }
  const calls = questions.map(
    ({ address, contract }): RpcCall =>
      contract === null
        ? { method: 'eth_getBalance', params: [address, at] }
        : { method: 'eth_call', params: [{ to: contract, data: balanceOf(address) }, at] },
  )
  const answers = await node.send(calls)
  return answers.map((answer, index) => {
    const question = questions[index]
    if (answer.kind === 'refusal') return refused(answer, node, block, question)
    if (question?.contract == null) return toUnits(answer.value, node, 'eth_getBalance')
    return typeof answer.value === 'string' && /^0x[0-9a-fA-F]{64}$/.test(answer.value)
      ? BigInt(answer.value)
      : null
  })
}

/** Returns `null` for a token that refuses. Other refusals end the audit: they say nothing about the balance. */
function refused(
  { code, message }: Extract<RpcAnswer, { kind: 'refusal' }>,
  node: RpcNode,
  { height }: BlockPoint,
  question: BalanceQuestion | undefined,
): null {
  if (question?.contract != null && REVERTED.test(message)) return null
  if (NOT_CANONICAL.test(message)) {
    throw new AuditFailure(
      'NODE_ON_ANOTHER_BRANCH',
      `The ${node.label} took block ${height} out of its chain`,
    )
  }
  if (NO_STATE.test(message)) {
    throw new AuditFailure(
      'NODE_WITHOUT_STATE',
      `The ${node.label} does not keep the balances at block ${height}. ` +
        'Compare at a newer block, or name a node that keeps them (an archive node)',
    )
  }
  throw new AuditFailure(
    'NODE_ANSWERS_WRONG',
    `The ${node.label} refuses balances at a block's hash (error ${code}); it must support EIP-1898`,
  )
}

function balanceOf(address: string): string {
  return `${BALANCE_OF}${address.slice(2).toLowerCase().padStart(64, '0')}`
}

function toQuantity(value: number): string {
  return `0x${value.toString(16)}`
}
