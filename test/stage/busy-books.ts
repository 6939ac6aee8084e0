/** Opens books that have lived through a busy history on a Bitcoin and an Ethereum in memory. */

import type { EvmAdapter } from '../../chains/adapter.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import { findNetwork } from '../../domain/chain/network.js'
import { liveOnBitcoin } from './busy-bitcoin.js'
import { liveOnEthereum } from './busy-ethereum.js'
import { ChainModel } from './chain-model.js'
import { memoryEthereum } from './memory-ethereum.js'
import { type MemoryRail, openMemoryRail } from './memory-rail.js'
import { testNetworks } from './test-networks.js'

/** Seed of the history, whose figures tests may then rely on. */
const SEED = 20261129

/** Opens the rail and lives through the history. Only real functions write it, so nothing in it is wrong. */
export async function openBusyBooks(): Promise<MemoryRail> {
  const variables = { ETHEREUM_ENABLED: 'true' }
  const ethereum = new ChainModel(findNetwork(testNetworks(variables), 'ethereum'))
  const rail = await openMemoryRail({
    credited: false,
    variables,
    wrap: (real) => memoryEthereum(ethereum, real as EvmAdapter),
  })
  await rememberCoins(rail.sql, rail.stage.networks)
  await liveOnBitcoin(rail, SEED)
  await liveOnEthereum(rail.stage, ethereum)
  return rail
}
