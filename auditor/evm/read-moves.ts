/** Reads from receipts what own transactions moved, before the books have booked them. */

import type { EvmNetwork } from '../../domain/chain/network.js'
import { AuditFailure } from '../audit-failure.js'
import type { RpcNode } from '../rpc/open-node.js'
import { unlessSilent } from '../unless-silent.js'
import type { AccountsAt } from './open-accounts.js'
import { toUnits } from './to-units.js'
import { TRANSFER_TOPIC } from './transfer-topic.js'

/** An own transaction that was mined. */
export interface MinedPayout {
  readonly txid: string
  readonly fromAddress: string
  readonly coin: string
  /** Base units that it sends in `coin`. */
  readonly amount: bigint
  /** Own address that it pays, where its books book that side too. */
  readonly toAddress: string | null
  /** Whether it only uses a nonce up, and sends nothing. */
  readonly cancels: boolean
}

/** Change of the balance of an address. */
export interface Move {
  readonly address: string
  readonly coin: string
  readonly amount: bigint
}

interface Receipt {
  readonly blockNumber?: unknown
  readonly status?: unknown
  readonly gasUsed?: unknown
  readonly effectiveGasPrice?: unknown
  /** Fee of the parent chain (OP-Stack). */
  readonly l1Fee?: unknown
  readonly logs?: readonly { address?: unknown; topics?: readonly unknown[]; data?: unknown }[]
}

/**
 * Returns what each transaction changed on own addresses up to the block: the amount, and the fee of its sender.
 *
 * @throws AuditFailure `NODE_ANSWERS_WRONG` without a receipt, `NODE_ON_ANOTHER_BRANCH` when the transaction is in a later
 *   block, `NODES_DISAGREE` when a witness reads something else from the receipts.
 */
export async function readMoves(
  network: EvmNetwork,
  at: Pick<AccountsAt, 'block' | 'node' | 'witnesses'>,
  payouts: readonly MinedPayout[],
): Promise<Move[]> {
  const moves = (await movesBy(network, at.node, at.block.height, payouts)).map((each) => {
    if (each instanceof AuditFailure) throw each
    return each
  })
  for (const witness of at.witnesses) {
    const said = await unlessSilent(movesBy(network, witness, at.block.height, payouts))
    const index =
      said?.findIndex((each, place) => each instanceof AuditFailure || !isSame(each, moves[place])) ?? -1
    if (index === -1) continue
    throw new AuditFailure(
      'NODES_DISAGREE',
      `The ${at.node.label} and the ${witness.label.split(' of ')[0]} give different receipts of ${payouts[index]?.txid}`,
    )
  }
  return moves.flat()
}

/** Returns the moves of each transaction as one node reports them, or why it reports none. */
async function movesBy(
  network: EvmNetwork,
  node: RpcNode,
  height: number,
  payouts: readonly MinedPayout[],
): Promise<(Move[] | AuditFailure)[]> {
  const answers = await node.send(
    payouts.map(({ txid }) => ({ method: 'eth_getTransactionReceipt', params: [txid] })),
  )
  return payouts.map((payout, index) => {
    const answer = answers[index]
    if (answer?.kind === 'refusal') throw refusal(node, answer.code)
    const receipt = answer?.value as Receipt | null | undefined
    if (!receipt) {
      return new AuditFailure(
        'NODE_ANSWERS_WRONG',
        `The ${node.label} has no receipt of ${payout.txid}, which the books saw mined`,
      )
    }
    if (toUnits(receipt.blockNumber, node, 'eth_getTransactionReceipt') > BigInt(height)) {
      return new AuditFailure(
        'NODE_ON_ANOTHER_BRANCH',
        `The ${node.label} has ${payout.txid} in a later block than the books`,
      )
    }
    return movesOf(network, node, payout, receipt)
  })
}

function refusal(node: RpcNode, code: number): AuditFailure {
  return new AuditFailure(
    'NODE_ANSWERS_WRONG',
    `The ${node.label} refuses eth_getTransactionReceipt (error ${code})`,
  )
}

function isSame(moves: readonly Move[], others: readonly Move[] = []): boolean {
  const named = (list: readonly Move[]) =>
    list.map(({ address, coin, amount }) => `${address.toLowerCase()} ${coin} ${amount}`).join()
  return named(moves) === named(others)
}

function movesOf(network: EvmNetwork, node: RpcNode, payout: MinedPayout, receipt: Receipt): Move[] {
  const units = (value: unknown) => toUnits(value, node, 'eth_getTransactionReceipt')
  const [native] = network.coins
  const fee =
    units(receipt.gasUsed) * units(receipt.effectiveGasPrice) +
    (receipt.l1Fee == null ? 0n : units(receipt.l1Fee))
  const moves: Move[] = [{ address: payout.fromAddress, coin: native?.name ?? '', amount: -fee }]
  if (payout.cancels || receipt.status !== '0x1') return moves
  const coin = [...network.coins, ...(network.removedCoins ?? [])].find(({ name }) => name === payout.coin)
  if (!coin || coin.contract === null) {
    moves.push({ address: payout.fromAddress, coin: payout.coin, amount: -payout.amount })
    if (payout.toAddress !== null)
      moves.push({ address: payout.toAddress, coin: payout.coin, amount: payout.amount })
    return moves
  }
  for (const log of receipt.logs ?? []) {
    const [topic, from, to] = (log.topics ?? []).map(String)
    if (topic !== TRANSFER_TOPIC || String(log.address).toLowerCase() !== coin.contract.toLowerCase())
      continue
    const amount = units(log.data)
    if (isOf(from, payout.fromAddress))
      moves.push({ address: payout.fromAddress, coin: coin.name, amount: -amount })
    if (payout.toAddress !== null && isOf(to, payout.toAddress))
      moves.push({ address: payout.toAddress, coin: coin.name, amount })
  }
  return moves
}

/** Whether a topic of a log holds an address. */
function isOf(topic: string | undefined, address: string): boolean {
  return topic?.slice(-40).toLowerCase() === address.slice(-40).toLowerCase()
}
