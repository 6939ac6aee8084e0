/**
 * Creates the adapter of EVM chains: native coin, internal transfers and configured ERC-20 tokens over
 * JSON-RPC.
 */

import { type EvmNetwork, knownCoin } from '../../domain/chain/network.js'
import type { BlockRef, EvmAdapter } from '../adapter.js'
import { createMempoolLook } from './mempool/create-mempool-look.js'
import { toBigInt, toBytes, toInteger, toQuantity, toRecord } from './quantity.js'
import { describeTransfers } from './read/describe-transfers.js'
import { findOutcome } from './read/find-outcome.js'
import { findUsed } from './read/find-used.js'
import { readAccountAt } from './read/read-account-at.js'
import { readNonceAt } from './read/read-nonce-at.js'
import { balanceOfCall, readTokenBalance } from './read/token-balance.js'
import { createCapability } from './rpc/create-capability.js'
import { createRpc, type RpcOptions } from './rpc/create-rpc.js'
import { expectResult } from './rpc/expect-result.js'
import { RpcError } from './rpc/rpc-error.js'
import { createBlockScanner } from './scan/create-block-scanner.js'
import { scanRules } from './scan/scan-rules.js'
import { broadcastTransaction } from './send/broadcast-transaction.js'
import { buildTransfer } from './send/build-transfer.js'
import { chooseFees } from './send/choose-fees.js'
import { FEE_MARKET_CALLS, readFeeMarket } from './send/fee-market.js'
import { l1FeeCalls, readL1Fee } from './send/l1-fee.js'
import { replaceTransfer } from './send/replace-transfer.js'
import { verifySigned } from './send/verify-signed.js'

/**
 * Creates the adapter of an EVM network.
 *
 * It sees the native value of transactions that succeeded, `Transfer` logs of configured tokens, and, if a
 * node answers `trace_block`, transfers by contracts and self-destructs. A rise without a transaction is no
 * transfer: the block names validators' withdrawals, and other rises show in balances alone. A node needs
 * `eth_getBlockReceipts`.
 */
export function createEvmAdapter(network: EvmNetwork, options: RpcOptions = {}): EvmAdapter {
  const rpc = createRpc(network, options)
  const rules = scanRules(network)
  const hasTraces = createCapability(
    rpc,
    { method: 'trace_block', params: ['latest'] },
    network.traceBlock,
    'fail',
  )
  const poolContent = createCapability(rpc, { method: 'txpool_content', params: [] }, null, 'no')
  const simulation = createCapability(
    rpc,
    { method: 'eth_simulateV1', params: [{ blockStateCalls: [] }, 'latest'] },
    null,
    'no',
  )

  return {
    network,
    blocks: createBlockScanner(rpc, rules, hasTraces),
    mempool: createMempoolLook(rpc, rules, { poolContent, simulation }),
    describe: (transfers) => describeTransfers(rpc, transfers),
    used: (addresses) => findUsed(rpc, rules, addresses),
    broadcast: (signedTransaction) => broadcastTransaction(rpc, signedTransaction),
    outcome: (txid) => findOutcome(rpc, rules, txid),
    build: (request) => buildTransfer(rpc, network, request),
    replace: (request) => replaceTransfer(rpc, network, request),
    verifySigned: (payload, signedTransaction) => verifySigned(network, payload, signedTransaction),
    inspect: () => rpc.inspect(),
    close: () => rpc.close(),

    head: () =>
      rpc.ask([{ method: 'eth_getBlockByNumber', params: ['latest', false] }], ({ answers }) =>
        readBlockRef(expectResult(answers[0], 'eth_getBlockByNumber')),
      ),

    hashAt: (height) =>
      rpc.ask(
        [{ method: 'eth_getBlockByNumber', params: [toQuantity(height), false] }],
        ({ answers }) => {
          const block = expectResult(answers[0], 'eth_getBlockByNumber')
          return block === null ? null : readBlockRef(block).hash
        },
        // A node behind the others must not look like a reorg.
        { until: (hash) => hash !== null },
      ),

    timeAt: (height) =>
      rpc.ask(
        [{ method: 'eth_getBlockByNumber', params: [toQuantity(height), false] }],
        ({ answers }) => {
          // Nodes that pruned a block refuse it in many wordings, or say that it does not exist.
          const [block] = answers
          if (block === null || block instanceof RpcError) return null
          return toInteger(toRecord(block, 'block').timestamp, 'timestamp')
        },
        { until: (time) => time !== null },
      ),

    syncing: () =>
      rpc.ask([{ method: 'eth_syncing', params: [] }], ({ answers }) => {
        const [progress] = answers
        // Some providers do not offer it. They serve synchronised nodes.
        if (progress instanceof RpcError || typeof progress !== 'object' || progress === null) return null
        const { currentBlock, highestBlock } = toRecord(progress, 'eth_syncing')
        if (currentBlock === undefined || highestBlock === undefined) return null
        const missing = toInteger(highestBlock, 'highestBlock') - toInteger(currentBlock, 'currentBlock')
        return missing > SYNCING_BLOCKS ? missing : null
      }),

    balance: async (address, coinName) => {
      const { contract } = knownCoin(network, coinName)
      const call =
        contract === null
          ? { method: 'eth_getBalance', params: [address, 'latest'] }
          : balanceOfCall(contract, address)
      return rpc.ask([call], ({ answers }) =>
        contract === null
          ? toBigInt(expectResult(answers[0], 'eth_getBalance'), 'balance')
          : readTokenBalance(answers[0]),
      )
    },

    nonce: (address) =>
      rpc.ask([{ method: 'eth_getTransactionCount', params: [address, 'latest'] }], ({ answers }) =>
        toInteger(expectResult(answers[0], 'eth_getTransactionCount'), 'nonce'),
      ),

    nonceAt: (address, block) => readNonceAt(rpc, address, block),

    accountAt: (address, coins, block) => readAccountAt(rpc, network, address, coins, block),

    fees: (priority) =>
      rpc.ask([...FEE_MARKET_CALLS, ...l1FeeCalls(network, TYPICAL_CALL)], ({ answers }) => ({
        ...chooseFees(readFeeMarket(answers[0], answers[1]), priority, network.fees),
        ...(network.l1FeeOracle === null ? {} : { l1Fee: readL1Fee(network, answers[2]) }),
      })),
  }
}

/**
 * Missing blocks up to which a node counts as synchronised: Geth reports `eth_syncing` also while it follows
 * the tip and indexes.
 */
const SYNCING_BLOCKS = 6

/** Call of the size of a token's transfer. Its bytes do not compress, as those of a real one. */
const TYPICAL_CALL = {
  to: `0x${'5a'.repeat(20)}`,
  value: 0n,
  data: `0xa9059cbb${'9d1c27e6b3f48a05'.repeat(8)}`,
} as const

function readBlockRef(value: unknown): BlockRef {
  const block = toRecord(value, 'block')
  return { height: toInteger(block.number, 'block number'), hash: toBytes(block.hash, 32, 'block hash') }
}
