/** Starts the chains of the local stack, each kept over restarts of its node. */

import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Anvil, FAUCET_PRIVATE_KEY, startAnvil } from '../parts/anvil.js'
import { type Bitcoin, type BitcoinOptions, startBitcoin } from '../parts/bitcoin.js'
import { createBitcoinFaucet, type FaucetKey, faucetKey } from '../parts/bitcoin-faucet.js'
import { PartMissing } from '../parts/find-executable.js'
import { jsonRpc } from '../parts/json-rpc.js'
import { LITECOIN_REGTEST, startLitecoin } from '../parts/litecoin.js'
import type { Say } from '../parts/say.js'
import { deployUsdt } from '../parts/usdt.js'
import type { Home } from './home.js'
import { keepAnvilState } from './keep-anvil-state.js'
import { keepBitcoinChain } from './keep-bitcoin-chain.js'
import type { Ports } from './ports.js'
import { type StackState, saveState } from './state.js'
import type { Supervisor } from './supervisor.js'

/** Number of first blocks of regtest: 100 for maturity, 150 that pay the faucet 50 coins each. */
const FIRST_BLOCKS = 250
/** Seconds between two blocks of the local EVM chains. */
export const ANVIL_BLOCK_SECONDS = 1
/** Chain id of the local Polygon, different from Anvil's own and the main network's. */
const POLYGON_CHAIN_ID = 31_338
/** `KEYTURN_LOCAL_BITCOIN_BLOCK_MS`: milliseconds between two blocks on each regtest. 0 mines none. */
const BITCOIN_BLOCK_MS = Number(process.env.KEYTURN_LOCAL_BITCOIN_BLOCK_MS ?? 2_000)

export interface EvmFacts {
  readonly rpc: string
  readonly chainId: number
  readonly faucetPrivateKey: `0x${string}`
  /** Address of the token: `usdt` on Ethereum, `usdc` on Polygon. */
  readonly token: `0x${string}`
}

export interface BitcoinFacts<Flavour extends string = 'btcd' | 'bitcoind'> {
  readonly rpc: string
  readonly flavour: Flavour
  readonly faucet: ReturnType<typeof createBitcoinFaucet>
  /** Mines blocks at once, besides those that follow the clock. */
  mine(blocks: number): Promise<void>
}

interface Stack {
  readonly home: Home
  readonly ports: Ports
  readonly state: StackState
  readonly supervisor: Supervisor
  readonly say: Say
  /** Registers a function that runs when the stack stops, before its processes end. */
  readonly beforeStop: (() => Promise<void> | void)[]
}

/** Starts Anvil with one-second blocks, and deploys `usdt` once. */
export function startEthereum(stack: Stack): Promise<EvmFacts> {
  return startEvmChain(stack, {
    name: 'anvil',
    port: stack.ports.ethereum,
    chainId: 31_337,
    stateFile: 'anvil-state.json',
    token: 'usdt',
  })
}

/** Starts a second Anvil as Polygon, and deploys `usdc` (the same contract) once. */
export function startPolygon(stack: Stack): Promise<EvmFacts> {
  return startEvmChain(stack, {
    name: 'polygon',
    port: stack.ports.polygon,
    chainId: POLYGON_CHAIN_ID,
    stateFile: 'polygon-state.json',
    token: 'usdc',
  })
}

/**
 * Starts a Bitcoin node on regtest, and mines. Returns `null` and shows it when this machine cannot get a
 * node.
 */
export function startBitcoinChain(stack: Stack): Promise<BitcoinFacts | null> {
  return startRegtest(stack, {
    name: 'bitcoin',
    port: stack.ports.bitcoin,
    key: faucetKey(Buffer.from(stack.state.bitcoin_faucet_key, 'hex')),
    startNode: startBitcoin as (options: BitcoinOptions, say: Say) => Promise<Bitcoin<'btcd' | 'bitcoind'>>,
  })
}

/**
 * Starts a Litecoin node on regtest, and mines. Returns `null` and shows it when this machine cannot get a
 * node.
 */
export function startLitecoinChain(stack: Stack): Promise<BitcoinFacts<'litecoind'> | null> {
  return startRegtest(stack, {
    name: 'litecoin',
    port: stack.ports.litecoin,
    key: faucetKey(Buffer.from(stack.state.bitcoin_faucet_key, 'hex'), LITECOIN_REGTEST),
    startNode: startLitecoin,
  })
}

async function startEvmChain(
  { home, state, supervisor, say, beforeStop }: Stack,
  chain: {
    readonly name: string
    readonly port: number
    readonly chainId: number
    readonly stateFile: string
    readonly token: 'usdt' | 'usdc'
  },
): Promise<EvmFacts> {
  const stateFile = home.file(chain.stateFile)
  const anvil = await supervisor.keepPart(
    chain.name,
    (): Promise<Anvil> =>
      startAnvil(
        {
          port: chain.port,
          chainId: chain.chainId,
          mining: ANVIL_BLOCK_SECONDS,
          logFile: home.log(chain.name),
          ...(existsSync(stateFile) ? { loadState: stateFile } : {}),
        },
        say,
      ),
  )
  const kept = keepAnvilState(anvil.rpc, stateFile)
  beforeStop.push(() => kept.stop())
  const known = state[chain.token]
  if (!known || (await jsonRpc(anvil.rpc, 'eth_getCode', [known, 'latest'])) === '0x') {
    // This is the deployer's first transaction, so on a new chain the token always has the same address.
    state[chain.token] = await deployUsdt(anvil.rpc, anvil.chainId, FAUCET_PRIVATE_KEY)
    saveState(home, state)
  }
  return {
    rpc: anvil.rpc,
    chainId: anvil.chainId,
    faucetPrivateKey: FAUCET_PRIVATE_KEY,
    token: state[chain.token] as `0x${string}`,
  }
}

async function startRegtest<Flavour extends string>(
  { home, state, supervisor, say, beforeStop }: Stack,
  coin: {
    readonly name: string
    readonly port: number
    readonly key: FaucetKey
    readonly startNode: (options: BitcoinOptions, say: Say) => Promise<Bitcoin<Flavour>>
  },
): Promise<BitcoinFacts<Flavour> | null> {
  const chain = keepBitcoinChain(
    coin.startNode,
    {
      port: coin.port,
      dataDirectory: home.file(coin.name),
      logFile: home.log(coin.name),
      password: state.bitcoin_password,
      miningAddress: coin.key.address,
    },
    home.file(`${coin.name}-blocks.txt`),
    say,
  )
  beforeStop.push(() => chain.stop())
  let node: Bitcoin<Flavour>
  try {
    node = await supervisor.keepPart(coin.name, () => chain.start())
  } catch (error) {
    if (!(error instanceof PartMissing)) throw error
    say(`Left out: ${error.message}`)
    return null
  }
  const height = Number(await node.call('getblockcount'))
  if (height < FIRST_BLOCKS) await node.mine(FIRST_BLOCKS - height)
  chain.mineEvery(BITCOIN_BLOCK_MS)
  // The faucet uses the node that runs at the time.
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
  return {
    rpc: node.rpc,
    flavour: node.flavour,
    faucet: createBitcoinFaucet({ call }, coin.key),
    async mine(blocks) {
      if (node.flavour === 'btcd') await call('generate', blocks)
      else await call('generatetoaddress', blocks, coin.key.address)
    },
  }
}
