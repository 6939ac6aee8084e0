/**
 * Creates the adapter of the Bitcoin family. All differences come from the network's configuration and its
 * node.
 */

import { z } from 'zod'
import { nativeCoin, type UtxoNetwork } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { UtxoAdapter } from '../adapter.js'
import { broadcastTransaction } from './chain/broadcast-transaction.js'
import { nodeChecks } from './chain/check-node.js'
import { describeTransfers } from './chain/describe-transfers.js'
import { estimateFeeRate } from './chain/estimate-fee-rate.js'
import { findHashAt, findOutcome, findTimeAt } from './chain/find-outcome.js'
import { findUsed } from './chain/find-used.js'
import { readBalance } from './chain/read-balance.js'
import { createBlockReader } from './chain/read-blocks.js'
import { readMempool } from './chain/read-mempool.js'
import { createTransactionSource } from './chain/transaction-source.js'
import { createRpc, type RpcOptions } from './rpc/create-rpc.js'
import { detectFlavour, type NodeFlavour } from './rpc/detect-flavour.js'
import { signatureRules } from './signature-rules.js'
import { buildPayout } from './spend/build-payout.js'
import type { FatParents } from './spend/choose-coins.js'
import { verifySigned } from './spend/verify-signed.js'

export interface UtxoAdapterOptions extends Omit<RpcOptions, 'checks'> {
  /** Flavour of the node. Default: the adapter asks the node when it first matters. */
  readonly flavour?: NodeFlavour
}

/**
 * Creates the adapter of a network. It connects at its first request. Its nodes need a transaction index
 * (`txindex=1`), because every input is signed against its whole parent; btcd also needs `--addrindex` for
 * `balance`.
 */
export function createUtxoAdapter(network: UtxoNetwork, options: UtxoAdapterOptions = {}): UtxoAdapter {
  const rpc = createRpc(network.name, network.rpcUrls, {
    ...options,
    checks: (ask) => nodeChecks(network, ask),
  })
  const source = createTransactionSource(rpc)
  const fatParents: FatParents = new Map()
  const blocks = createBlockReader(rpc, network)
  let known = options.flavour
  const flavour = async () => {
    known ??= await detectFlavour(rpc)
    return known
  }
  const head = async () => {
    const { blocks: height, bestblockhash: hash } = await rpc.call('getblockchaininfo', [], tip)
    return { height, hash }
  }

  return {
    network,
    head,
    hashAt: (height) => findHashAt(height, rpc),
    timeAt: (height) => findTimeAt(height, rpc),
    async syncing() {
      const { blocks: height, headers } = await rpc.call('getblockchaininfo', [], progress)
      return headers !== undefined && headers - height > SYNCING_BLOCKS ? headers - height : null
    },
    blocks,
    mempool: (seen) => readMempool(rpc, network, seen),
    describe: (transfers) => describeTransfers(transfers, network, source),
    used: async (addresses) => findUsed(addresses, network, rpc, await flavour(), { head, blocks }),
    broadcast: (signedTransaction) => broadcastTransaction(signedTransaction, rpc),
    outcome: (txid) => findOutcome(txid, rpc, source),
    async balance(address, coin) {
      if (coin !== nativeCoin(network).name) {
        throw new KeyturnError('UNSUPPORTED_COIN', `Coin "${coin}" is not on ${network.name}`, {
          details: { network: network.name, coin },
        })
      }
      return readBalance(address, network, rpc, await flavour())
    },
    feeRate: (priority) => estimateFeeRate(priority, network, rpc),
    build: (request) => buildPayout(request, network, source, fatParents),
    verifySigned: (payload, signedTransaction) =>
      verifySigned(payload, signedTransaction, signatureRules(network)),
    inspect: () => rpc.inspect(),
    close: () => rpc.close(),
  }
}

/** Missing blocks up to which a node counts as synchronised: a header may come before its block. */
const SYNCING_BLOCKS = 6
const progress = z.object({ blocks: z.int().nonnegative(), headers: z.int().nonnegative().optional() })
const tip = z.object({ blocks: z.int().nonnegative(), bestblockhash: z.string() })
