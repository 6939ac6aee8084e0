/** Who paid a transfer, and what its transaction cost. */

import { getAddress } from 'viem'
import type { Transfer, TransferDetails } from '../../adapter.js'
import { toBigInt, toBytes, toInteger, toQuantity, toRecord } from '../quantity.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { expectResult } from '../rpc/expect-result.js'
import { FIRST_INTERNAL_INDEX, groupTraces, nativeMovements } from '../scan/read-traces.js'
import { readTransferLogs } from '../scan/read-transfer-logs.js'
import type { ScanRules } from '../scan/scan-rules.js'
import { feePaid } from './fee-paid.js'

/**
 * Describes one transfer: its own payer and payee (a transaction may hold others), and the fee once it is mined; what the
 * sender of a native transfer parted with then includes it. Where the node no longer knows the transaction, the payer is left
 * out rather than guessed.
 */
export async function describeTransfer(
  rpc: Rpc,
  rules: ScanRules,
  transfer: Transfer,
): Promise<TransferDetails> {
  const { txid, index, payee, amount } = transfer
  const { sender, nonce, receipt } = await rpc.ask(
    [
      { method: 'eth_getTransactionByHash', params: [txid] },
      { method: 'eth_getTransactionReceipt', params: [txid] },
    ],
    ({ answers }) => {
      const answer = expectResult(answers[0], 'eth_getTransactionByHash')
      const transaction = answer === null ? null : toRecord(answer, 'transaction')
      const found = expectResult(answers[1], 'eth_getTransactionReceipt')
      return {
        sender: transaction && toBytes(transaction.from, 20, 'from'),
        nonce: transaction && toInteger(transaction.nonce, 'nonce'),
        receipt: found === null ? null : toRecord(found, 'receipt'),
      }
    },
    { until: (value) => value.sender !== null },
  )
  const payer = await findPayer(rpc, rules, index, txid, sender, receipt)
  const fee = receipt && feePaid(receipt)
  // Who sends the coin itself pays the fee in it too, as the inputs of a UTXO transaction do; tokens and calls leave it aside.
  const spent = index === 0 && fee !== null ? amount + fee : amount
  return {
    sources: payer === null ? [] : [{ address: getAddress(payer), amount: spent }],
    destinations: [{ address: getAddress(`0x${payee}`), amount }],
    fee,
    spends: sender === null || nonce === null ? [] : [{ txid, prevTxid: sender, prevVout: nonce }],
  }
}

async function findPayer(
  rpc: Rpc,
  rules: ScanRules,
  index: number,
  txid: string,
  sender: string | null,
  receipt: Readonly<Record<string, unknown>> | null,
): Promise<string | null> {
  // A pending token transfer is known only from calls that the sender himself makes; its holder is told by the log later.
  if (index === 0 || receipt === null) return sender
  if (index < FIRST_INTERNAL_INDEX) {
    const log = readTransferLogs(rules, receipt.logs).find((each) => 1 + each.position === index)
    return log?.from ?? null
  }
  const height = toQuantity(toBigInt(receipt.blockNumber, 'blockNumber'))
  const blockHash = toBytes(receipt.blockHash, 32, 'blockHash')
  return rpc.ask([{ method: 'trace_block', params: [height] }], ({ answers }) => {
    const traces = groupTraces(expectResult(answers[0], 'trace_block'), blockHash).get(txid)
    if (!traces) return null
    return nativeMovements(traces).find((each) => each.index === index)?.from ?? null
  })
}
