/** The chains of the local stack, each kept over restarts of its node. */

import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Anvil, FAUCET_PRIVATE_KEY, startAnvil } from '../parts/anvil.js'
import type { Bitcoin } from '../parts/bitcoin.js'
import { createBitcoinFaucet, faucetKey } from '../parts/bitcoin-faucet.js'
import { PartMissing, type Say } from '../parts/find-executable.js'
import { jsonRpc } from '../parts/json-rpc.js'
import { deployUsdt } from '../parts/usdt.js'
import type { Home } from './home.js'
import { keepAnvilState } from './keep-anvil-state.js'
import { keepBitcoinChain } from './keep-bitcoin-chain.js'
import type { Ports } from './ports.js'
import { type StackState, saveState } from './state.js'
import type { Supervisor } from './supervisor.js'

/** Blocks of regtest that are there before anything else: 100 for maturity, 150 that pay the faucet 50 BTC each. */
const FIRST_BLOCKS = 250
const ANVIL_BLOCK_SECONDS = 1
/** `KEYTURN_LOCAL_BITCOIN_BLOCK_MS`: milliseconds between two blocks on regtest; 0 mines none. */
const BITCOIN_BLOCK_MS = Number(process.env.KEYTURN_LOCAL_BITCOIN_BLOCK_MS ?? 2_000)

export interface EthereumFacts {
  readonly rpc: string
  readonly chainId: number
  readonly faucetPrivateKey: `0x${string}`
  readonly usdt: `0x${string}`
}

export interface BitcoinFacts {
  readonly rpc: string
  readonly flavour: 'btcd' | 'bitcoind'
  readonly faucet: ReturnType<typeof createBitcoinFaucet>
}

interface Stack {
  readonly home: Home
  readonly ports: Ports
  readonly state: StackState
  readonly supervisor: Supervisor
  readonly say: Say
  /** Called when the stack stops, before its processes do. */
  readonly beforeStop: (() => Promise<void> | void)[]
}

/** Starts Anvil with one-second blocks and deploys the token once. */
export async function startEthereum(stack: Stack): Promise<EthereumFacts> {
  const { home, ports, state, supervisor, say } = stack
  const stateFile = home.file('anvil-state.json')
  const anvil = await supervisor.keep(
    'anvil',
    (): Promise<Anvil> =>
      startAnvil(
        {
          port: ports.ethereum,
          mining: ANVIL_BLOCK_SECONDS,
          logFile: home.log('anvil'),
          ...(existsSync(stateFile) ? { loadState: stateFile } : {}),
        },
        say,
      ),
  )
  const kept = keepAnvilState(anvil.rpc, stateFile)
  stack.beforeStop.push(() => kept.stop())
  if (!state.usdt || (await jsonRpc(anvil.rpc, 'eth_getCode', [state.usdt, 'latest'])) === '0x') {
    // The deployer's first transaction: on a new chain the token always has the same address.
    state.usdt = await deployUsdt(anvil.rpc, anvil.chainId, FAUCET_PRIVATE_KEY)
    saveState(home, state)
  }
  return {
    rpc: anvil.rpc,
    chainId: anvil.chainId,
    faucetPrivateKey: FAUCET_PRIVATE_KEY,
    usdt: state.usdt as `0x${string}`,
  }
}

/** Starts a Bitcoin node on regtest and mines; null, and said so, where no node can be had. */
export async function startBitcoinChain(stack: Stack): Promise<BitcoinFacts | null> {
  const { home, ports, state, supervisor, say } = stack
  const key = faucetKey(Buffer.from(state.bitcoin_faucet_key, 'hex'))
  const chain = keepBitcoinChain(
    {
      port: ports.bitcoin,
      dataDirectory: home.file('bitcoin'),
      logFile: home.log('bitcoin'),
      password: state.bitcoin_password,
      miningAddress: key.address,
    },
    home.file('bitcoin-blocks.txt'),
    say,
  )
  stack.beforeStop.push(() => chain.stop())
  let node: Bitcoin
  try {
    node = await supervisor.keep('bitcoin', () => chain.start())
  } catch (error) {
    if (!(error instanceof PartMissing)) throw error
    say(`Left out: ${error.message}`)
    return null
  }
  const height = Number(await node.call('getblockcount'))
  if (height < FIRST_BLOCKS) await node.mine(FIRST_BLOCKS - height)
  chain.mineEvery(BITCOIN_BLOCK_MS)
  // The faucet asks whichever node runs at the time.
  const call = async (method: string, ...params: unknown[]) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await jsonRpc(node.rpc, method, params)
      } catch (error) {
        if (attempt === 20 || !(error instanceof TypeError)) throw error
        await sleep(500)
      }
    }
  }
  return { rpc: node.rpc, flavour: node.flavour, faucet: createBitcoinFaucet({ call }, key) }
}
