/** Reads ERC-20 transfers of configured tokens in one receipt. */

import type { Transfer } from '../../adapter.js'
import { toBytes, toInteger, toList, toRecord } from '../quantity.js'
import type { ScanRules } from './scan-rules.js'

/** Topic of transfers: keccak256 of `Transfer(address,address,uint256)` (EIP-20). */
const TRANSFER_TOPIC = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'
/** Padding of indexed addresses. */
const ADDRESS_PADDING = `0x${'0'.repeat(24)}`
const WORD_LENGTH = 66

/** Transfer log of a configured token, and its place among the logs of its own receipt. */
export interface TransferLog {
  readonly position: number
  readonly coin: string
  /** Sender, as 0x and 40 lower-case hex digits. */
  readonly from: string
  readonly to: string
  readonly amount: bigint
}

/**
 * Reads the Transfer logs of a receipt: three topics (an ERC-721 transfer has four) and one word of data,
 * from a configured contract. The position counts every log of the receipt, so it depends neither on the
 * block nor on the configuration.
 *
 * @throws EndpointFailure if the receipt is malformed.
 */
export function readTransferLogs(rules: ScanRules, logs: unknown): TransferLog[] {
  const found: TransferLog[] = []
  eachTransferLog(rules, logs, (position, coin, from, to, amount) => {
    found.push({ position, coin, from: `0x${from.slice(26)}`, to: `0x${to.slice(26)}`, amount })
  })
  return found
}

/** Calls `use` for each Transfer log, with the topics of sender and recipient as whole words. */
function eachTransferLog(
  rules: ScanRules,
  logs: unknown,
  use: (position: number, coin: string, from: string, to: string, amount: bigint) => void,
): void {
  const list = toList(logs, 'logs')
  let previous = -1
  for (let position = 0; position < list.length; position += 1) {
    const log = toRecord(list[position], 'log')
    const logIndex = toInteger(log.logIndex, 'logIndex')
    // The position is the ordinal only while the node keeps the order. A node that does not is not used.
    if (logIndex <= previous) toInteger(null, 'order of logs')
    previous = logIndex
    // Nodes write addresses in lower case nearly always, so that most are known as they are.
    const coin =
      rules.tokens.get(log.address as string) ?? rules.tokens.get(toBytes(log.address, 20, 'log address'))
    if (coin === undefined) continue
    const topics = toList(log.topics, 'topics')
    if (topics.length !== 3) continue
    if (topics[0] !== TRANSFER_TOPIC && toBytes(topics[0], 32, 'topic') !== TRANSFER_TOPIC) continue
    const from = toBytes(topics[1], 32, 'topic')
    const to = toBytes(topics[2], 32, 'topic')
    if (!from.startsWith(ADDRESS_PADDING) || !to.startsWith(ADDRESS_PADDING)) continue
    if (typeof log.data !== 'string' || log.data.length !== WORD_LENGTH) continue
    use(position, coin, from, to, BigInt(toBytes(log.data, 32, 'log data')))
  }
}

/** Returns whether a movement changes anything. Zero amounts and transfers to oneself do not. */
export function movesValue(movement: { from: string; to: string; amount: bigint }): boolean {
  return movement.amount > 0n && movement.from !== movement.to
}

/**
 * Returns the transfers that a receipt's logs show. Their index is 1 + position (`deposits.output_index`).
 *
 * @param fee - Cost of the transaction. `null` while it is in no block.
 */
export function tokenTransfers(
  rules: ScanRules,
  txid: string,
  logs: unknown,
  fee: () => bigint | null,
): Transfer[] {
  const transfers: Transfer[] = []
  eachTransferLog(rules, logs, (position, coin, from, to, amount) => {
    if (!movesValue({ from, to, amount })) return
    const origin = { payer: `0x${from.slice(26)}`, fee: fee() }
    transfers.push({ txid, index: 1 + position, payee: to.slice(26), coin, amount, origin })
  })
  return transfers
}
